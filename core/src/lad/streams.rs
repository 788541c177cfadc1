//! All streams of a detector, by name.

use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::stream::Stream;
use crate::memory::{grow, vec};

/// The streams, in no particular order.
#[derive(Debug, Default)]
pub(super) struct Streams {
    #[expect(
        clippy::vec_box,
        reason = "when the list grows, it must not take the streams with it"
    )]
    all: Vec<Box<Stream>>,
    /// The hashes of their names, so that the table can grow without touching the streams, which are scattered in memory.
    hashes: Vec<u64>,
    /// Index by name; small, so that it stays in the processor's caches.
    by_name: HashTable<u32>,
}

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(name)
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Stream> {
        self.all.get(at).map(|stream| &**stream)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Stream> {
        self.all.get_mut(at).map(|stream| &mut **stream)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Stream> {
        self.all.iter().map(|stream| &**stream)
    }

    /// The index of the stream with this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let has_name = |&at: &u32| *self[at as usize].past.name == *name;
        Some(*self.by_name.find(hash(name), has_name)? as usize)
    }

    /// Adds a stream with a new name at the end; returns its index.
    pub(super) fn push(&mut self, stream: Stream) -> usize {
        let at = self.all.len();
        grow(&mut self.all, 1);
        grow(&mut self.hashes, 1);
        self.hashes.push(hash(&stream.past.name));
        self.all.push(Box::new(stream));
        let hashes = &self.hashes;
        self.by_name
            .insert_unique(hashes[at], at as u32, |&at| hashes[at as usize]);
        at
    }

    /// Removes the stream at `at`; the last one moves to its index.
    pub(super) fn swap_remove(&mut self, at: usize) -> Box<Stream> {
        let stream = self.all.swap_remove(at);
        let hash = self.hashes.swap_remove(at);
        let is_at = |at: usize| move |slot: &u32| *slot as usize == at;
        if let Ok(entry) = self.by_name.find_entry(hash, is_at(at)) {
            entry.remove();
        }
        if let Some(&moved) = self.hashes.get(at)
            && let Some(slot) = self.by_name.find_mut(moved, is_at(self.all.len()))
        {
            *slot = at as u32;
        }
        stream
    }

    /// Memory without the streams themselves, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.all) + vec(&self.hashes) + self.by_name.allocation_size()
    }
}

impl Index<usize> for Streams {
    type Output = Stream;

    #[inline]
    fn index(&self, at: usize) -> &Stream {
        &self.all[at]
    }
}

impl IndexMut<usize> for Streams {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut Stream {
        &mut self.all[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::Miner;
    use crate::lad::LadOptions;

    #[test]
    fn every_stream_is_found_by_name_whatever_is_removed() {
        let options = LadOptions::default();
        let blank = Miner::new(options.drain.clone()).unwrap();
        let mut streams = Streams::default();
        let name = |i: usize| format!("host-{i}");
        for i in 0..200 {
            assert_eq!(
                streams.push(Stream::new(&name(i), blank.blank(), &options)),
                i
            );
        }
        let mut there: Vec<usize> = (0..200).collect();
        for i in 0..200 {
            for &i in &there {
                let at = streams.find(&name(i)).unwrap();
                assert_eq!(*streams[at].past.name, *name(i));
            }
            let at = i * 7 % there.len();
            let gone = there.swap_remove(at);
            assert_eq!(*streams.swap_remove(at).past.name, *name(gone));
            assert_eq!(streams.find(&name(gone)), None);
        }
        assert_eq!((streams.len(), streams.find("")), (0, None));
    }
}
