//! Memory accounting: what data structures take, as the allocator counts it.

use smol_str::SmolStr;

/// Memory of an allocation of `bytes` bytes, including the overhead of glibc's allocator on 64 bits; 0 for none.
#[inline]
pub(crate) fn allocation(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => (bytes + 8).next_multiple_of(16).max(32),
    }
}

/// Memory of a vector outside of itself in bytes.
#[inline]
pub(crate) fn vec<T>(vec: &Vec<T>) -> usize {
    allocation(vec.capacity() * size_of::<T>())
}

/// Memory in bytes of a hash table with a capacity for `capacity` entries of `entry` bytes: a power of two of slots, an eighth of
/// which stays free, and one control byte each.
pub(crate) fn table(capacity: usize, entry: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let places = (capacity + capacity.div_ceil(7)).next_power_of_two();
    allocation(places * (entry + 1) + 16)
}

/// Reserves space for `more` elements and for an eighth of the present ones. Doubling, as vectors grow by default, could exceed a
/// memory limit.
#[inline]
pub(crate) fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(vec.len() / 8 + 4 * more);
    }
}

/// Memory of a text outside of itself in bytes.
pub(crate) fn small_text(text: &SmolStr) -> usize {
    // A text on the heap follows two counts of those who share it.
    match text.is_heap_allocated() {
        true => allocation(2 * size_of::<usize>() + text.len()),
        false => 0,
    }
}

/// Empties `vec` and reserves space for `len` elements. The present allocation is reused if it is not far too large.
#[inline]
pub(crate) fn refit<T>(vec: &mut Vec<T>, len: usize) {
    vec.clear();
    if !(len..=2 * len + 16).contains(&vec.capacity()) {
        *vec = Vec::with_capacity(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_at_least_what_its_entries_take() {
        for len in 1..2_000 {
            let map: std::collections::HashMap<u64, u64> = (0..len).map(|i| (i, i)).collect();
            let bytes = table(map.capacity(), 16);
            assert!(bytes >= map.capacity() * 17, "{len}");
            assert!(bytes <= map.capacity() * 17 * 5 / 2 + 160, "{len}");
        }
        assert_eq!(table(0, 16), 0);
    }

    #[test]
    fn a_vector_that_grows_has_little_spare_capacity() {
        let mut grown = Vec::new();
        for i in 0..10_000 {
            grow(&mut grown, 1);
            grown.push(i);
            assert!(grown.capacity() <= grown.len() + grown.len() / 8 + 4);
        }
    }

    #[test]
    fn an_allocation_is_reused_unless_it_is_far_too_large_or_too_small() {
        let mut buffer: Vec<u8> = Vec::with_capacity(40);
        refit(&mut buffer, 30);
        assert_eq!(buffer.capacity(), 40);
        refit(&mut buffer, 41);
        assert!((41..100).contains(&buffer.capacity()));
        refit(&mut buffer, 2);
        assert!(buffer.capacity() < 20);
    }
}
