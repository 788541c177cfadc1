//! Pauses between requests: exponential, with a cap, and as long as the server asks for.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// When the next request may be sent.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Number of consecutive requests that failed.
    failed: u32,
    not_before: Option<Instant>,
}

impl Backoff {
    /// How long to wait before the next request.
    pub fn wait(&self, now: Instant) -> Duration {
        self.not_before
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// A request failed. `wanted` is the pause that the server asked for.
    pub fn failed(
        &mut self,
        now: Instant,
        first: Duration,
        max: Duration,
        wanted: Option<Duration>,
    ) {
        let doubled = first.saturating_mul(1 << self.failed.min(30));
        let pause = doubled.max(wanted.unwrap_or_default()).min(max);
        self.failed = self.failed.saturating_add(1);
        self.not_before = now.checked_add(pause);
    }

    /// A request was answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// The pause that the header `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or a date, which is relative to the header
/// `Date` of the same response, so that no clock has to agree with the server's; without that one, to `now`.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let parsed = |text: &str| jiff::fmt::rfc2822::parse(text.trim()).map(|at| at.timestamp());
    let until = parsed(value).ok()?;
    let from = date.and_then(|date| parsed(date).ok()).unwrap_or(now);
    let pause = until.as_second().saturating_sub(from.as_second());
    Some(Duration::from_secs(u64::try_from(pause).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_their_cap_and_end_with_an_answer() {
        let (now, mut backoff) = (Instant::now(), Backoff::default());
        let pauses = [0, 1, 2, 4, 5, 5].map(|_| {
            backoff.failed(now, SECOND, 5 * SECOND, None);
            backoff.wait(now).as_secs()
        });
        assert_eq!(pauses, [1, 2, 4, 5, 5, 5]);
        for _ in 0..100 {
            backoff.failed(now, SECOND, 5 * SECOND, Some(Duration::MAX));
        }
        assert_eq!(backoff.wait(now), 5 * SECOND);
        backoff.succeeded();
        assert_eq!(backoff.wait(now), Duration::ZERO);
        backoff.failed(now, SECOND, 5 * SECOND, Some(3 * SECOND));
        assert_eq!(backoff.wait(now), 3 * SECOND);
    }

    #[test]
    fn a_server_names_its_pause_in_seconds_or_by_a_date() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let of = |value, date| retry_after(value, date, now);
        assert_eq!(of("7", None), Some(7 * SECOND));
        assert_eq!(
            of(" 99999999999999999999999 ", None),
            Some(Duration::from_secs(u64::MAX))
        );
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(of("Wed, 21 Oct 2015 07:28:09 GMT", date), Some(9 * SECOND));
        assert_eq!(
            of("Wed, 21 Oct 2015 07:27:00 GMT", date),
            Some(Duration::ZERO)
        );
        assert_eq!(of("Tue, 14 Nov 2023 22:13:25 GMT", None), Some(5 * SECOND));
        for other in ["", "-1", "soon", "1.5"] {
            assert_eq!(of(other, date), None, "{other}");
        }
    }
}
