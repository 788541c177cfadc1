//! The global allocator of every shared object that bellwether is loaded as.
//!
//! A plugin shares the `malloc` of the process that loads it, and that may be one with weaker promises than the C library's.
//! Fluent Bit's packages link jemalloc configured with `--with-lg-quantum=3`: its `malloc(24)` is aligned to 8 bytes only.
//! Rust's standard [`System`](std::alloc::System) allocator relies on 16 on x86-64 and asks `malloc` for any alignment up to
//! that, so the first aligned SSE store into a hash table ends the process with SIGSEGV.
//!
//! [`HostAllocator`] relies on [`MALLOC_ALIGN`] alone and asks `posix_memalign` for anything above it. All memory is still
//! the process's own and is released by its `free`, so nothing changes for memory that crosses a border to C.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

/// The alignment in bytes that every `malloc` in use gives to a block of at least that size.
pub const MALLOC_ALIGN: usize = 8;

/// See the [crate](self). Each shared object declares one as its `#[global_allocator]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostAllocator;

/// Whether `malloc`, `calloc` and `realloc` align a block of this layout without being asked to.
const fn malloc_suffices(layout: Layout) -> bool {
    // Small blocks may be aligned to their size only.
    layout.align() <= MALLOC_ALIGN && layout.align() <= layout.size()
}

/// A block with an alignment that `malloc` does not promise; NULL where there is no memory.
#[inline]
fn aligned(layout: Layout) -> *mut u8 {
    let mut block = ptr::null_mut();
    // What posix_memalign takes is a power of two, as every alignment is, and a multiple of a pointer's size.
    let align = layout.align().max(size_of::<*mut u8>());
    // SAFETY: `block` is a place for a pointer; where the call fails it is left as it is.
    let status = unsafe { libc::posix_memalign(&mut block, align, layout.size()) };
    if status == 0 {
        block.cast()
    } else {
        ptr::null_mut()
    }
}

// SAFETY: blocks come from the process's malloc family with the size and alignment asked for, and all of that family are
// released by its `free`. Nothing unwinds.
unsafe impl GlobalAlloc for HostAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if malloc_suffices(layout) {
            // SAFETY: malloc takes any size.
            unsafe { libc::malloc(layout.size()).cast() }
        } else {
            aligned(layout)
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if malloc_suffices(layout) {
            // SAFETY: calloc takes any size.
            return unsafe { libc::calloc(layout.size(), 1).cast() };
        }
        let block = aligned(layout);
        if !block.is_null() {
            // SAFETY: the block has that size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller passes a block of this allocator's, which came from the malloc family.
        unsafe { libc::free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size, rounded up to the alignment, is no more than isize::MAX.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if malloc_suffices(layout) && malloc_suffices(new_layout) {
            // SAFETY: the block came from the malloc family.
            return unsafe { libc::realloc(block.cast(), new_size).cast() };
        }
        // SAFETY: as above; the blocks do not overlap, and the old one goes only where there is a new one.
        unsafe {
            let new = self.alloc(new_layout);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_layout_are_aligned_keep_their_content_and_can_be_released() {
        let allocator = HostAllocator;
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [1, 3, 8, 24, 40, 56, 100, 5000] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the layout is not empty, and every block is used within its size and released once.
                unsafe {
                    let zeroed = allocator.alloc_zeroed(layout);
                    assert!(!zeroed.is_null() && zeroed.addr().is_multiple_of(align));
                    assert!((0..size).all(|i| *zeroed.add(i) == 0));
                    allocator.dealloc(zeroed, layout);

                    let block = allocator.alloc(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align));
                    (0..size).for_each(|i| *block.add(i) = i as u8);
                    for new_size in [1, size, 3 * size] {
                        let kept = size.min(new_size);
                        let copy = allocator.alloc(layout);
                        ptr::copy_nonoverlapping(block, copy, size);
                        let moved = allocator.realloc(copy, layout, new_size);
                        assert!(!moved.is_null() && moved.addr().is_multiple_of(align));
                        assert!((0..kept).all(|i| *moved.add(i) == i as u8));
                        let moved_layout = Layout::from_size_align(new_size, align).unwrap();
                        allocator.dealloc(moved, moved_layout);
                    }
                    allocator.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn a_block_that_no_machine_has_is_refused() {
        let layout = Layout::from_size_align(isize::MAX as usize - 63, 64).unwrap();
        // SAFETY: the layout is not empty; nothing is released where nothing was given.
        assert!(unsafe { HostAllocator.alloc(layout) }.is_null());
    }
}
