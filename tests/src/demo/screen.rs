//! The demo's screen: a table that redraws in place on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossterm::style::{Color, Stylize};
use crossterm::{cursor, queue, terminal};

use crate::testbed::interrupt::Cleanup;

/// One guest's line.
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its samples, oldest first.
    pub samples: Vec<Sample>,
}

/// What a guest did in one interval.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// CPU use, percent of one core.
    pub cpu_percent: f64,
    /// Whether a fault kept it from its work.
    pub slowed: bool,
}

/// What is shown.
pub struct Picture {
    /// Number and count of happenings, and the present one.
    pub heading: String,
    /// The guests.
    pub guests: Vec<Guest>,
    /// bellwether's own values: name and value.
    pub verdict: Vec<(String, String)>,
    /// Whether an anomaly is raised.
    pub raised: bool,
}

/// Where pictures and news go.
pub struct Screen {
    started: Instant,
    live: bool,
    /// Lines drawn last, to be drawn over.
    drawn: u16,
    news: VecDeque<String>,
    last_plain: Option<Instant>,
    _cursor: Option<Cleanup>,
}

/// News that stay in sight below the table.
const NEWS: usize = 8;
/// Seconds between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(3);
/// CPU use that fills a bar, percent of one core.
const FULL_BAR_PERCENT: f64 = 48.0;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Screen {
    /// A screen on standard output.
    #[must_use]
    pub fn new() -> Self {
        let live = stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let cursor = live.then(|| {
            let _ = crossterm::execute!(stdout(), cursor::Hide);
            Cleanup::new(|| {
                let _ = crossterm::execute!(stdout(), cursor::Show);
            })
        });
        Self {
            started: Instant::now(),
            live,
            drawn: 0,
            news: VecDeque::new(),
            last_plain: None,
            _cursor: cursor,
        }
    }

    /// Adds a line that stays: something has happened.
    pub fn tell(&mut self, text: &str) {
        let line = format!("{}  {text}", clock(self.started.elapsed()));
        if self.live {
            self.news.push_back(line);
            if self.news.len() > NEWS {
                self.news.pop_front();
            }
        } else {
            println!("{line}");
        }
    }

    /// Shows the present state.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn draw(&mut self, picture: &Picture) -> Result<()> {
        if !self.live {
            if self
                .last_plain
                .is_none_or(|last| last.elapsed() >= PLAIN_EVERY)
            {
                self.last_plain = Some(Instant::now());
                println!("{}  {}", clock(self.started.elapsed()), plain(picture));
            }
            return Ok(());
        }
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let lines = self.lines(picture, usize::from(width), usize::from(height));
        let mut out = stdout().lock();
        if self.drawn > 0 {
            queue!(out, cursor::MoveToPreviousLine(self.drawn))?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        self.drawn = lines.len() as u16;
        Ok(())
    }

    fn lines(&self, picture: &Picture, width: usize, height: usize) -> Vec<String> {
        let fit = |text: String| {
            text.chars()
                .take(width.saturating_sub(1))
                .collect::<String>()
        };
        let heading = format!("{}  {}", clock(self.started.elapsed()), picture.heading);
        let mut lines = vec![fit(heading).bold().to_string(), String::new()];
        for guest in &picture.guests {
            let now = guest.samples.last().map(|sample| sample.cpu_percent);
            let now = now.map_or("  -".to_owned(), |percent| format!("{percent:3.0}"));
            let head = format!("  {:<6}{now} % ", guest.name);
            let room = width.saturating_sub(head.chars().count() + 2);
            lines.push(head + &bars(&guest.samples, room));
        }
        let verdict: Vec<String> = picture
            .verdict
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let state = if picture.raised {
            "ANOMALY"
        } else {
            "no anomaly"
        };
        let verdict = fit(format!("  bellwether: {state}   {}", verdict.join("   ")));
        lines.push(String::new());
        lines.push(if picture.raised {
            verdict.with(Color::Red).bold().to_string()
        } else {
            verdict.with(Color::Green).to_string()
        });
        lines.push(String::new());
        // What is higher than the terminal cannot be drawn over: the oldest news go.
        let news = self
            .news
            .iter()
            .flat_map(|line| wrapped(line, width.saturating_sub(1)));
        let news: Vec<String> = news.collect();
        let room = height.saturating_sub(lines.len() + 1);
        lines.extend_from_slice(&news[news.len().saturating_sub(room)..]);
        lines
    }

    /// Leaves the last picture where it is; what follows is written below it.
    pub fn finish(self) {}
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

fn plain(picture: &Picture) -> String {
    let mut text = format!("{} |", picture.heading);
    for guest in &picture.guests {
        let now = guest
            .samples
            .last()
            .map_or(0.0, |sample| sample.cpu_percent);
        text.push_str(&format!(" {} {now:.0} %", guest.name));
    }
    let state = if picture.raised {
        "ANOMALY"
    } else {
        "no anomaly"
    };
    text.push_str(&format!(" | bellwether: {state}"));
    for (name, value) in &picture.verdict {
        text.push_str(&format!(", {name} {value}"));
    }
    text
}

/// One bar for each of the latest samples that fit; red where a fault slowed the guest.
fn bars(samples: &[Sample], width: usize) -> String {
    let latest = &samples[samples.len().saturating_sub(width)..];
    let stretches = latest.chunk_by(|one, next| one.slowed == next.slowed);
    let drawn = stretches.map(|stretch| {
        let bars: String = stretch
            .iter()
            .map(|sample| bar(sample.cpu_percent))
            .collect();
        let color = if stretch[0].slowed {
            Color::Red
        } else {
            Color::Cyan
        };
        bars.with(color).to_string()
    });
    drawn.collect()
}

fn bar(percent: f64) -> char {
    let level = (percent / FULL_BAR_PERCENT * BARS.len() as f64).floor();
    BARS[(level.max(0.0) as usize).min(BARS.len() - 1)]
}

/// A line broken between words; what follows the first is indented below its text.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "      ";
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = lines.last().map_or(0, |last| last.chars().count());
        if last > INDENT.len() && last + word.trim_end().chars().count() > width {
            lines.push(INDENT.to_owned());
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
    }
    lines
}

fn clock(elapsed: Duration) -> String {
    format!("{}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_load_and_stay_within_their_line() {
        assert_eq!([-1.0, 6.0, 24.0, 500.0].map(bar), ['▁', '▂', '▅', '█']);
    }

    #[test]
    fn the_latest_samples_that_fit_are_drawn_in_the_colours_of_their_happening() {
        let sample = |cpu_percent, slowed| Sample {
            cpu_percent,
            slowed,
        };
        let samples = [sample(99.0, false), sample(24.0, false), sample(6.0, true)];
        let expected = format!("{}{}", "▅".with(Color::Cyan), "▂".with(Color::Red));
        assert_eq!(bars(&samples, 2), expected);
    }

    #[test]
    fn long_news_are_broken_between_words() {
        let lines = wrapped("0:01  one two three", 12);
        assert_eq!(lines, ["0:01  one ", "      two ", "      three"]);
    }
}
