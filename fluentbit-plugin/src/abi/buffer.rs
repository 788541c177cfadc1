//! Memory that is handed over to the host.

use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// Bytes that end in the host's hands, who frees them: records that take the place of a chunk are written where they stay.
///
/// The memory comes from `malloc`, which is the program's: Fluent Bit frees with `free`, and where it brings an allocator of
/// its own, it brings both.
#[derive(Debug)]
pub struct Buffer {
    /// `capacity` bytes, of which the first `length` are set; dangling while there are none.
    start: NonNull<u8>,
    length: usize,
    capacity: usize,
}

// SAFETY: the memory is the buffer's alone.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Nothing, which takes no memory.
    pub const fn new() -> Self {
        Self {
            start: NonNull::dangling(),
            length: 0,
            capacity: 0,
        }
    }

    /// Makes room for this many more bytes.
    ///
    /// # Panics
    /// There is no memory.
    #[inline(never)]
    pub fn reserve(&mut self, more: usize) {
        let wanted = self.length.checked_add(more).expect("a size");
        if wanted <= self.capacity {
            return;
        }
        let capacity = wanted.max(2 * self.capacity).max(1024);
        let old = match self.capacity {
            0 => ptr::null_mut(),
            _ => self.start.as_ptr().cast(),
        };
        // SAFETY: `old` is NULL or came from here; it is used no more where there is a new one.
        let new = unsafe { libc::realloc(old, capacity) };
        self.start = NonNull::new(new.cast()).expect("memory for the records");
        self.capacity = capacity;
    }

    /// Adds bytes.
    ///
    /// # Panics
    /// There is no memory.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if bytes.len() > self.capacity - self.length {
            self.reserve(bytes.len());
        }
        // SAFETY: there is room behind what is set, and nobody else has it.
        unsafe {
            let end = self.start.as_ptr().add(self.length);
            ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.length += bytes.len();
    }

    /// Gives the memory away: its start and how many bytes are set. `None` where there are none, which no host takes.
    pub fn hand_over(self) -> Option<(*mut c_void, usize)> {
        if self.length == 0 {
            return None;
        }
        let this = std::mem::ManuallyDrop::new(self);
        Some((this.start.as_ptr().cast(), this.length))
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: this many bytes are set; a dangling pointer does for none.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: it came from `realloc` and is used no more.
            unsafe { libc::free(self.start.as_ptr().cast()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_in_its_order() {
        let mut buffer = Buffer::new();
        assert_eq!(&*buffer, b"");
        let mut wanted = Vec::new();
        for n in 0..5000_u32 {
            buffer.extend_from_slice(&n.to_be_bytes());
            wanted.extend(n.to_be_bytes());
        }
        buffer.extend_from_slice(b"");
        assert_eq!(&*buffer, wanted);
    }

    #[test]
    fn what_is_handed_over_is_the_takers_to_free() {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(b"bytes");
        let (start, length) = buffer.hand_over().expect("there is something");
        // SAFETY: this many bytes were handed over, and they are freed once.
        unsafe {
            let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length);
            assert_eq!(bytes, b"bytes");
            libc::free(start);
        }
        let mut empty = Buffer::new();
        empty.reserve(10);
        assert_eq!(empty.hand_over(), None);
    }
}
