//! What decides: the policy of core, behind an interface.

use bellwether_core::options::OptionError;
use bellwether_core::policy::{Input, Outputs, Policy, PolicyOptions};
use bellwether_core::snapshot::Unusable;

/// What decides.
pub trait Decider: Send {
    /// Takes an input in; gives what follows from it and from the time that has passed.
    fn take(&mut self, input: &Input) -> Outputs;

    /// The known hosts.
    fn hosts(&self) -> Box<dyn Iterator<Item = &str> + '_>;

    /// Whether the host `target` may take guests of the host `from`.
    ///
    /// # Errors
    /// Why not, in words.
    fn may_receive(&self, from: &str, target: &str) -> Result<(), String>;

    /// The state, to be restored.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the state.
    ///
    /// # Errors
    /// The bytes are no such state.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), Unusable>;
}

impl Decider for Policy {
    fn take(&mut self, input: &Input) -> Outputs {
        self.apply(input)
    }

    fn hosts(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.hosts())
    }

    fn may_receive(&self, from: &str, target: &str) -> Result<(), String> {
        self.may_receive(from, target)
    }

    fn snapshot(&self) -> Vec<u8> {
        self.snapshot().to_vec()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), Unusable> {
        self.restore(bytes)
    }
}

/// The policy of core.
///
/// # Errors
/// Options that contradict each other.
pub fn new(options: PolicyOptions) -> Result<Box<dyn Decider>, OptionError> {
    Ok(Box::new(Policy::new(options)?))
}
