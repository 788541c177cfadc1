//! The demo's screen: a table that redraws in place on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossterm::style::{Color, Stylize};
use crossterm::{cursor, queue, terminal};

use crate::testbed::interrupt::Cleanup;

/// One line of the table: a guest or a host.
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it does at present.
    pub now: String,
    /// What it did, oldest first.
    pub bars: Vec<Bar>,
}

/// What somebody did in one interval.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// How much: 0 is nothing, 1 and more a full bar.
    pub level: f64,
    /// Whether something was wrong.
    pub wrong: bool,
}

/// What is shown.
pub struct Picture {
    /// Number and count of happenings, and the present one.
    pub heading: String,
    /// The table.
    pub rows: Vec<Row>,
    /// What bellwether says: a few words.
    pub state: String,
    /// bellwether's own values: name and value.
    pub verdict: Vec<(String, String)>,
    /// Whether something is wrong.
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
        let widest = picture.rows.iter().map(|row| row.now.chars().count());
        let widest = widest.max().unwrap_or(0);
        for row in &picture.rows {
            let head = format!("  {:<6}{:>widest$} ", row.name, row.now);
            let room = width.saturating_sub(head.chars().count() + 2);
            lines.push(head + &bars(&row.bars, room));
        }
        let verdict: Vec<String> = picture
            .verdict
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let state = &picture.state;
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
    for row in &picture.rows {
        text.push_str(&format!(" {} {}", row.name, row.now.trim_start()));
    }
    text.push_str(&format!(" | bellwether: {}", picture.state));
    for (name, value) in &picture.verdict {
        text.push_str(&format!(", {name} {value}"));
    }
    text
}

/// One bar for each of the latest intervals that fit; red where something was wrong.
fn bars(all: &[Bar], width: usize) -> String {
    let latest = &all[all.len().saturating_sub(width)..];
    let stretches = latest.chunk_by(|one, next| one.wrong == next.wrong);
    let drawn = stretches.map(|stretch| {
        let bars: String = stretch.iter().map(|bar| shape(bar.level)).collect();
        let color = if stretch[0].wrong {
            Color::Red
        } else {
            Color::Cyan
        };
        bars.with(color).to_string()
    });
    drawn.collect()
}

fn shape(level: f64) -> char {
    let level = (level * BARS.len() as f64).floor();
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
        assert_eq!([-1.0, 0.125, 0.5, 9.0].map(shape), ['▁', '▂', '▅', '█']);
    }

    #[test]
    fn the_latest_bars_that_fit_are_drawn_red_where_something_was_wrong() {
        let bar = |level, wrong| Bar { level, wrong };
        let all = [bar(2.0, false), bar(0.5, false), bar(0.125, true)];
        let expected = format!("{}{}", "▅".with(Color::Cyan), "▂".with(Color::Red));
        assert_eq!(bars(&all, 2), expected);
    }

    #[test]
    fn long_news_are_broken_between_words() {
        let lines = wrapped("0:01  one two three", 12);
        assert_eq!(lines, ["0:01  one ", "      two ", "      three"]);
    }
}
