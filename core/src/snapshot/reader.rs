//! Reads the state of a snapshot value by value.

use std::cell::Cell;
use std::io::BufRead;
use std::rc::Rc;

use postcard::Deserializer;
use postcard::de_flavors::Flavor;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::Unusable;

/// Reads values in postcard's format. Only one text at a time is in memory besides the values themselves.
pub(crate) struct Reader<'a> {
    values: Deserializer<'a, Stream<'a>>,
    left: Rc<Cell<u64>>,
}

/// The source of bytes.
struct Stream<'a> {
    input: &'a mut dyn BufRead,
    /// Bytes that are left of the state.
    left: Rc<Cell<u64>>,
    /// The text that is being read.
    text: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Reads the next `length` bytes of `input`.
    pub(super) fn new(input: &'a mut dyn BufRead, length: u64) -> Self {
        let left = Rc::new(Cell::new(length));
        let stream = Stream {
            input,
            left: Rc::clone(&left),
            text: Vec::new(),
        };
        Self {
            values: Deserializer::from_flavor(stream),
            left,
        }
    }

    /// The next value; `part` names it in an error.
    pub(crate) fn next<T: DeserializeOwned>(&mut self, part: &'static str) -> Result<T, Unusable> {
        self.next_into(part, std::marker::PhantomData)
    }

    /// Whether nothing is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.left.get() == 0
    }

    /// The next value, deserialized by `seed`.
    pub(crate) fn next_into<S: DeserializeSeed<'a>>(
        &mut self,
        part: &'static str,
        seed: S,
    ) -> Result<S::Value, Unusable> {
        let value = seed.deserialize(&mut self.values);
        value.map_err(|error| Unusable::undecodable(part, &error))
    }
}

impl<'a> Flavor<'a> for Stream<'a> {
    type Remainder = ();
    type Source = ();

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        let byte = match self.input.fill_buf() {
            Ok([byte, ..]) if self.left.get() > 0 => *byte,
            _ => return Err(postcard::Error::DeserializeUnexpectedEnd),
        };
        self.input.consume(1);
        self.left.set(self.left.get() - 1);
        Ok(byte)
    }

    fn size_hint(&self) -> Option<usize> {
        // No sequence has more elements than bytes are left.
        usize::try_from(self.left.get()).ok()
    }

    fn try_take_n(&mut self, _: usize) -> postcard::Result<&'a [u8]> {
        // Nothing can be borrowed from a stream; every saved type owns its texts.
        Err(postcard::Error::WontImplement)
    }

    fn try_take_n_temp<'b>(&'b mut self, count: usize) -> postcard::Result<&'b [u8]>
    where
        'a: 'b,
    {
        if count as u64 > self.left.get() {
            return Err(postcard::Error::DeserializeUnexpectedEnd);
        }
        self.text.resize(count, 0);
        let read = self.input.read_exact(&mut self.text);
        read.map_err(|_| postcard::Error::DeserializeUnexpectedEnd)?;
        self.left.set(self.left.get() - count as u64);
        Ok(&self.text)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
