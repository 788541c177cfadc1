//! bellwether-sys
