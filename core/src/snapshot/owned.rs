//! Texts and bytes read into types that would by default borrow from the input, which a stream does not support.

/// A [`SmolStr`](smol_str::SmolStr).
pub(crate) mod small_text {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use smol_str::SmolStr;

    pub(crate) fn serialize<S: Serializer>(text: &SmolStr, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SmolStr, D::Error> {
        String::deserialize(from).map(SmolStr::from)
    }
}

/// An array of bytes.
pub(crate) mod byte_array {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    struct Bytes<const N: usize>;

    impl<const N: usize> Visitor<'_> for Bytes<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
            let array = bytes.try_into();
            array.map_err(|_| E::invalid_length(bytes.len(), &self))
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        from.deserialize_byte_buf(Bytes)
    }
}
