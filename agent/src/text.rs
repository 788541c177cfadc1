//! Names and lines without what misleads their readers, or whoever takes them apart.

pub use bellwether_core::text::clean;
