//! All streams of a detector, found by their names.

use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::stream::Stream;
use crate::memory::vec;

/// Where the stream is whose name has this hash. With all of the hash at hand, the names of other streams, which lie far
/// apart, are not looked at.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    at: u32,
}

/// The streams, in no order.
#[derive(Debug, Default)]
pub(super) struct Streams {
    #[expect(
        clippy::vec_box,
        reason = "when the list grows, it must not take the streams with it"
    )]
    all: Vec<Box<Stream>>,
    by_name: HashTable<Place>,
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

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Stream> {
        self.all.get_mut(at).map(|stream| &mut **stream)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.all.iter().map(|stream| &**stream)
    }

    /// Where the stream with that name is.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let hash = hash(name);
        let place = self.by_name.find(hash, |place| {
            place.hash == hash && *self[place.at as usize].past.name == *name
        })?;
        Some(place.at as usize)
    }

    /// Adds a stream whose name no other has, behind all others; gives where it is.
    pub(super) fn push(&mut self, stream: Stream) -> usize {
        let at = self.all.len();
        let place = Place {
            hash: hash(&stream.past.name),
            at: at as u32,
        };
        self.by_name
            .insert_unique(place.hash, place, |place| place.hash);
        self.all.push(Box::new(stream));
        at
    }

    /// Removes the stream at `at`; the last one takes its place.
    pub(super) fn swap_remove(&mut self, at: usize) -> Box<Stream> {
        let stream = self.all.swap_remove(at);
        let is_at = |at: usize| move |place: &Place| place.at as usize == at;
        if let Ok(entry) = self.by_name.find_entry(hash(&stream.past.name), is_at(at)) {
            entry.remove();
        }
        if let Some(moved) = self.all.get(at) {
            let last = is_at(self.all.len());
            if let Some(place) = self.by_name.find_mut(hash(&moved.past.name), last) {
                place.at = at as u32;
            }
        }
        stream
    }

    /// How much memory the places take, without the streams, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.all) + self.by_name.allocation_size()
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
    fn every_stream_is_found_by_its_name_however_the_others_go() {
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
