//! All tests of the target `fluentbit` once more, in a Fluent Bit built with jemalloc, as its packages and images are: its `malloc`
//! promises less alignment than the C library's.

#[path = "fluentbit/main.rs"]
mod fluentbit;
