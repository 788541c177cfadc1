//! The policy decides as its rules say, whatever comes in, and the same when replayed.

mod properties;
mod rules;
mod site;
mod suggestions;
