//! What things take in memory, counted as the allocator gives it out.

/// What an allocation of so many bytes takes, in bytes: with the allocator's own, as glibc has it on 64 bits. None takes nothing.
#[inline]
pub(crate) fn allocation(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => (bytes + 8).next_multiple_of(16).max(32),
    }
}

/// What a vector takes outside of itself, in bytes.
#[inline]
pub(crate) fn vec<T>(vec: &Vec<T>) -> usize {
    allocation(vec.capacity() * size_of::<T>())
}

/// What a hash table with room for `capacity` entries of `entry` bytes takes, in bytes: it has a power of two of places, of
/// which an eighth stays free, and a byte beside each.
pub(crate) fn table(capacity: usize, entry: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let places = (capacity + capacity.div_ceil(7)).next_power_of_two();
    allocation(places * (entry + 1) + 16)
}

/// Makes room for so many `more` in `vec`, and for an eighth of what is there: twice as much, as vectors grow by themselves,
/// would be a leap beyond a limit.
#[inline]
pub(crate) fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(vec.len() / 8 + 4 * more);
    }
}

/// Empties `vec` and makes room for `len` in it. What is there stays where that is not far too much.
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
    fn what_grows_one_by_one_never_has_much_more_room_than_it_needs() {
        let mut grown = Vec::new();
        for i in 0..10_000 {
            grow(&mut grown, 1);
            grown.push(i);
            assert!(grown.capacity() <= grown.len() + grown.len() / 8 + 4);
        }
    }

    #[test]
    fn room_is_used_again_unless_it_is_far_too_much_or_too_little() {
        let mut room: Vec<u8> = Vec::with_capacity(40);
        refit(&mut room, 30);
        assert_eq!(room.capacity(), 40);
        refit(&mut room, 41);
        assert!((41..100).contains(&room.capacity()));
        refit(&mut room, 2);
        assert!(room.capacity() < 20);
    }
}
