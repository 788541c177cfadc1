//! What a network predicts of a stream of log keys, and which records are anomalous by it.

use smallvec::SmallVec;

use super::error::{ModelError, at_most};
use super::lstm::{KEYS_MAX, Lstm, LstmScratch, rank};

/// Number of records over which the share of anomalous ones is taken, as FailSafeVM does.
pub const SHARE_RECORDS: u32 = 20;
/// Windows up to this length need no allocation.
const WINDOW_INLINE: usize = 12;

/// How a record compares to what a model predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// The record's key; 0 for a template that the fleet does not have.
    pub key: u32,
    /// The rank of its key among the predicted ones, 1 for the likeliest; 0 if its template is unknown, or if there are not enough
    /// records before it.
    pub rank: u32,
    /// Its template is unknown, or is not among the likeliest.
    pub anomalous: bool,
    /// The share of anomalous records among the last 20, 0 to 1: the probability of a failure as FailSafeVM has it.
    pub share: f64,
}

/// The last log keys of one stream.
#[derive(Debug, Clone, Default)]
pub struct SequenceHistory {
    /// Oldest first.
    keys: SmallVec<[u32; WINDOW_INLINE]>,
    /// Whether the last records were anomalous, one bit each, the newest lowest.
    anomalous: u32,
}

impl SequenceHistory {
    /// Memory outside of itself in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self.keys.spilled() {
            true => crate::memory::allocation(self.keys.capacity() * size_of::<u32>()),
            false => 0,
        }
    }
}

/// A network with its window and its criterion.
#[derive(Debug, Clone)]
pub struct Predictor {
    network: Lstm,
    window: usize,
    top: u32,
    scratch: LstmScratch,
}

impl Predictor {
    /// A predictor that predicts from the last `window` keys, and takes a key for normal if it is among the `top` likeliest.
    ///
    /// # Errors
    /// One of the two is 0 or too large, or a prediction would cost too much.
    pub fn new(network: Lstm, window: usize, top: u32) -> Result<Self, ModelError> {
        if window == 0 || top == 0 {
            let problem = "\"window\" and \"top\" have to be at least 1".into();
            return Err(ModelError::Description(problem));
        }
        at_most("likeliest keys", top as usize, KEYS_MAX)?;
        network.check_cost(window)?;
        Ok(Self {
            network,
            window,
            top,
            scratch: LstmScratch::default(),
        })
    }

    /// The network.
    pub fn network(&self) -> &Lstm {
        &self.network
    }

    /// The history of a stream without a record.
    pub fn history(&self) -> SequenceHistory {
        SequenceHistory {
            keys: SmallVec::with_capacity(self.window),
            anomalous: 0,
        }
    }

    /// Takes the next record of the stream with this history: its log key, 0 if its template is unknown. A key beyond the network's
    /// is unknown as well.
    pub fn observe(&mut self, history: &mut SequenceHistory, key: u32) -> Predicted {
        let key = if (key as usize) < self.network.keys() {
            key
        } else {
            0
        };
        let mut own_rank = 0;
        if key > 0 && history.keys.len() == self.window {
            let keys = history.keys.iter().copied();
            own_rank = rank(self.network.logits(keys, &mut self.scratch), key);
        }
        let anomalous = key == 0 || own_rank > self.top;
        if history.keys.len() >= self.window {
            history.keys.remove(0);
        }
        history.keys.push(key);
        history.anomalous = history.anomalous << 1 | u32::from(anomalous);
        let last = history.anomalous & ((1 << SHARE_RECORDS) - 1);
        Predicted {
            key,
            rank: own_rank,
            anomalous,
            share: f64::from(last.count_ones()) / f64::from(SHARE_RECORDS),
        }
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.network.bytes()
    }
}
