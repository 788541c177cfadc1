//! Threads of a plugin within an agent's process.
//!
//! ```
//! let thread = bellwether_agent::thread::spawn("example", || 6 * 7)?;
//! assert_eq!(thread.join().unwrap(), 42);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that never receives the signals that are sent to the process, so that the agent's own threads do.
///
/// # Errors
/// The system gives no thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let builder = Builder::new().name(name.into());
    // A thread inherits the mask: it has it from its first moment on.
    without_signals(|| builder.spawn(body))
}

/// Runs `start` with the signals blocked that a process is sent.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are filled before they are read, and the mask is put back as it was.
    unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        // What a thread brings upon itself has to reach the agent's handlers.
        for own in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGABRT,
        ] {
            libc::sigdelset(&mut blocked, own);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
        let started = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocked signals of this thread, as the system shows them.
    fn blocked() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    }

    #[test]
    fn a_thread_blocks_what_a_process_is_sent_and_its_parent_does_not() {
        let before = blocked();
        let of_thread = spawn("test", blocked).unwrap().join().unwrap();
        let bit = |signal: i32| 1u64 << (signal - 1);
        for sent in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGUSR1] {
            assert_ne!(of_thread & bit(sent), 0, "{sent}");
        }
        for own in [libc::SIGSEGV, libc::SIGABRT] {
            assert_eq!(of_thread & bit(own), 0, "{own}");
        }
        assert_eq!(blocked(), before);
    }
}
