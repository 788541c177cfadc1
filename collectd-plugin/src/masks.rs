//! The maintenance windows that the detector is to have, and what is to be logged of them.
//!
//! They come from a file, which says all of its windows each time it is read, and from notifications, each of which adds one or
//! removes those of a name.

use std::collections::BTreeMap;

use bellwether_agent::maintenance::{Parsed, WINDOWS_MAX, Window, matches, shown, window};
use bellwether_agent::text::clean;

/// The longest window that a notification may give, in seconds: what nobody withdraws ends by itself.
const NOTIFIED_MAX_SEC: f64 = 86_400.0;
/// Windows of notifications that were over for this long are forgotten, in seconds.
const FORGET_SEC: f64 = 86_400.0;
/// The most lines of the log at once on windows that begin or end.
const LINES_MAX: usize = 16;
/// The message of a notification that removes windows.
const END: &str = "end";

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Masks {
    file: Vec<Window>,
    notified: Vec<Window>,
    /// The windows of the detector.
    applied: Vec<Window>,
    /// By name, the end of the window that has begun and is not over; seconds.
    current: BTreeMap<String, f64>,
}

impl Masks {
    /// After a restart: the windows of the saved state that are not in the file came from notifications.
    pub fn restored(&mut self, windows: Vec<Window>) {
        let file = &self.file;
        let is_new = |window: &Window| !file.iter().any(|other| other.covers(window));
        self.notified = windows.into_iter().filter(is_new).collect();
    }

    /// The file was read.
    pub fn read(&mut self, parsed: Parsed) {
        self.file = parsed.windows;
    }

    /// A notification about a hypervisor came at `now`, seconds.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn notified(&mut self, hypervisor: &str, message: &str, now: f64) -> Result<(), String> {
        if message.trim().eq_ignore_ascii_case(END) {
            self.notified
                .retain(|window| window.hypervisor != hypervisor);
            return Ok(());
        }
        let window = window(hypervisor, message).map_err(|fault| {
            format!("{fault}; the message of a notification is FROM UNTIL, or \"{END}\"")
        })?;
        if window.until.seconds_since(window.from) > NOTIFIED_MAX_SEC {
            return Err(
                "a notification masks for a day at most; longer windows are for MaskFile".into(),
            );
        }
        self.notified
            .retain(|old| now - old.until.secs() < FORGET_SEC && !window.covers(old));
        if self.notified.len() >= WINDOWS_MAX {
            return Err(format!(
                "{WINDOWS_MAX} windows of notifications wait, which is the limit"
            ));
        }
        self.notified.push(window);
        Ok(())
    }

    /// All windows that the detector is to have.
    pub fn wanted(&self) -> impl Iterator<Item = &Window> {
        self.file.iter().chain(&self.notified)
    }

    /// The windows that the detector now has, which are merged where they overlap.
    pub fn applied(&mut self, windows: Vec<Window>) {
        self.applied = windows;
    }

    /// Whether a hypervisor is in a window at `time`, seconds.
    pub fn is_masked(&self, hypervisor: &str, time: f64) -> bool {
        let covers = |window: &Window| {
            window.from.secs() <= time
                && time < window.until.secs()
                && matches(&window.hypervisor, hypervisor)
        };
        self.applied.iter().any(covers)
    }

    /// Lines for the log on windows that begin or end, at `now` by the wall clock; seconds.
    pub fn turn(&mut self, now: f64) -> Vec<String> {
        if self.applied.is_empty() && self.current.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut current = BTreeMap::new();
        let has_begun = |window: &&Window| window.from.secs() <= now && now < window.until.secs();
        for window in self.applied.iter().filter(has_begun) {
            let name = clean(&window.hypervisor);
            let until = shown(window.until);
            match self.current.get(&window.hypervisor) {
                None => lines.push(format!(
                    "maintenance of {name} until {until}: nothing is learned or reported about it"
                )),
                Some(end) if *end != window.until.secs() => {
                    lines.push(format!("maintenance of {name} now lasts until {until}"));
                }
                Some(_) => {}
            }
            current.insert(window.hypervisor.clone(), window.until.secs());
        }
        for (name, end) in &self.current {
            if !current.contains_key(name) {
                let name = clean(name);
                lines.push(match *end <= now {
                    true => format!(
                        "maintenance of {name} is over; it is watched again once its guests have had some minutes to settle"
                    ),
                    false => format!("maintenance of {name} was ended early; it is watched again"),
                });
            }
        }
        self.current = current;
        if lines.len() > LINES_MAX {
            let further = lines.len() - LINES_MAX;
            lines.truncate(LINES_MAX);
            lines.push(format!(
                "maintenance of {further} further names began or ended"
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_agent::maintenance::parse;

    fn wanted(masks: &Masks) -> Vec<String> {
        masks.wanted().map(|window| window.to_string()).collect()
    }

    fn with_file(text: &str) -> Masks {
        let mut masks = Masks::default();
        masks.read(parse(text));
        masks
    }

    #[test]
    fn a_file_replaces_its_own_windows_and_a_notification_adds_to_them_until_it_is_withdrawn() {
        let mut masks = with_file("hv1 0 60\nhv2 0 60");
        masks.notified("hv1", "60 +2m", 0.0).unwrap();
        masks
            .notified("hv3", "0 1970-01-01T00:01:00Z", 0.0)
            .unwrap();
        masks.read(parse("hv1 0 120"));
        let minute = |name, from, until| {
            format!("{name} from 1970-01-01T00:0{from}:00Z until 1970-01-01T00:0{until}:00Z")
        };
        assert_eq!(
            wanted(&masks),
            [
                minute("hv1", 0, 2),
                minute("hv1", 1, 3),
                minute("hv3", 0, 1)
            ]
        );
        masks.notified("hv1", " End", 0.0).unwrap();
        assert_eq!(wanted(&masks), [minute("hv1", 0, 2), minute("hv3", 0, 1)]);
    }

    #[test]
    fn a_hypervisor_is_masked_within_the_windows_of_its_name_and_of_patterns() {
        let mut masks = Masks::default();
        masks.applied(parse("hv1 100 200\nrack7-* 150 +1m").windows);
        let is_masked = |name, times: [f64; 4]| times.map(|time| masks.is_masked(name, time));
        let times = [99.0, 100.0, 199.0, 200.0];
        assert_eq!(is_masked("hv1", times), [false, true, true, false]);
        assert_eq!(is_masked("rack7-hv3", times), [false, false, true, true]);
        assert_eq!(is_masked("hv10", times), [false; 4]);
    }

    #[test]
    fn a_notification_that_says_no_window_is_refused_with_what_would_be_right() {
        let mut masks = Masks::default();
        for (message, reason) in [
            ("", "it has no times"),
            ("now +2h", "would be another time whenever"),
            ("stop", "it has only one time"),
            (
                "0 +25h",
                "a notification masks for a day at most; longer windows are for MaskFile",
            ),
        ] {
            let refused = masks.notified("hv1", message, 0.0).unwrap_err();
            assert!(refused.contains(reason), "{message}: {refused}");
        }
        assert!(masks.notified("", "0 60", 0.0).is_err());
        assert_eq!(masks.wanted().count(), 0);
    }

    #[test]
    fn the_windows_of_notifications_are_bounded_and_make_room_when_they_are_over() {
        let mut masks = Masks::default();
        for i in 0..WINDOWS_MAX {
            masks.notified(&format!("hv{i}"), "0 +1h", 0.0).unwrap();
        }
        masks.notified("one more", "0 +1h", 0.0).unwrap_err();
        // One that covers another takes its place.
        masks.notified("hv1", "0 +2h", 0.0).unwrap();
        assert_eq!(masks.wanted().count(), WINDOWS_MAX);
        masks.notified("hv0", "100000 +1h", 100_000.0).unwrap();
        assert_eq!(masks.wanted().count(), 1);
    }

    #[test]
    fn after_a_restart_the_windows_that_the_file_lacks_are_those_of_notifications() {
        let mut masks = with_file("hv1 0 100");
        let saved = parse("hv1 10 90\nhv1 200 300\nhv2 10 20").windows;
        masks.restored(saved.clone());
        assert_eq!(masks.notified, saved[1..]);
    }

    #[test]
    fn a_window_is_logged_when_it_begins_and_when_it_ends() {
        let mut masks = Masks::default();
        let windows = |text: &str| parse(text).windows;
        masks.applied(windows("hv1 60 120\nhv2 60 180\nhv3 60 180"));
        assert!(masks.turn(59.0).is_empty());
        let begins = masks.turn(60.0);
        assert_eq!(
            begins[0],
            "maintenance of hv1 until 1970-01-01T00:02:00Z: nothing is learned or reported about it"
        );
        assert_eq!(begins.len(), 3);
        assert!(masks.turn(119.0).is_empty());
        masks.applied(windows("hv1 60 120\nhv2 60 240"));
        assert_eq!(
            masks.turn(120.0),
            [
                "maintenance of hv2 now lasts until 1970-01-01T00:04:00Z",
                "maintenance of hv1 is over; it is watched again once its guests have had some minutes to settle",
                "maintenance of hv3 was ended early; it is watched again",
            ]
        );
        masks.applied(Vec::new());
        assert_eq!(masks.turn(130.0).len(), 1);
        assert!(masks.turn(131.0).is_empty());
    }

    #[test]
    fn windows_that_begin_by_the_thousand_make_few_lines() {
        let mut masks = Masks::default();
        let text: String = (0..3000).map(|i| format!("hv{i} 0 60\n")).collect();
        masks.applied(parse(&text).windows);
        let lines = masks.turn(0.0);
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(
            lines[LINES_MAX],
            "maintenance of 2984 further names began or ended"
        );
    }
}
