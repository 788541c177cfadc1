//! bellwether-ffi
