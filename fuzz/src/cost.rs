//! What a line may cost the parser.

use bellwether_core::drain::DrainOptions;

/// The steps that a line of this many bytes, masked, may take: those of a search of its words, and those of its upkeep. A line has
/// at most one word in two bytes. On a full tree, this is less than ten times what an ordinary line of its length costs, as
/// `core/benches/hostile.rs` measures.
///
/// Upkeep includes the eviction of a template, which may be longer than the line.
pub fn most_steps(masked: usize, options: &DrainOptions) -> u64 {
    (256 + options.max_tokens + 34 * (masked + 1)) as u64
}
