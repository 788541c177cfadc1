//! Round-robin databases as rrdtool prints them: `rrdtool dump` (XML), `rrdtool fetch` (text) and `rrdtool xport` (XML; its JSON is
//! read with [`super::prometheus`]).

use std::io::BufRead;

use anyhow::{Context as _, Result, bail, ensure};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::prometheus::check_samples;

/// A data source: its name, and its times in seconds since the epoch with values; NaN is a missing sample.
pub type Source = (String, Vec<(f64, f64)>);

/// An archive of a dump: its values row by row, oldest first.
#[derive(Default)]
struct Archive {
    is_average: bool,
    /// Steps of the database per row.
    steps: f64,
    rows: Vec<Vec<f64>>,
}

/// What is gathered of a document.
#[derive(Default)]
struct Document {
    step: f64,
    last_update: f64,
    /// The time of the first row, of an export.
    start: f64,
    names: Vec<String>,
    archive: Archive,
    /// The archive that is taken.
    best: Option<Archive>,
    samples: usize,
}

/// Reads the XML of `rrdtool dump` or `rrdtool xport`. Of the archives of a dump it takes the averages of the shortest interval,
/// and of those the longest.
///
/// # Errors
/// XML that is not well-formed, a document without data, or one with another structure.
pub fn read_xml(reader: impl BufRead) -> Result<Vec<Source>> {
    let mut xml = Reader::from_reader(reader);
    let mut path: Vec<Vec<u8>> = Vec::new();
    let (mut document, mut buffer, mut text) = (Document::default(), Vec::new(), String::new());
    loop {
        buffer.clear();
        let event = xml
            .read_event_into(&mut buffer)
            .with_context(|| format!("byte {}: no XML of rrdtool", xml.buffer_position()))?;
        match event {
            Event::Start(start) => {
                let name = start.name().as_ref().to_vec();
                ensure!(
                    path.len() < 16,
                    "its XML is none of rrdtool: it is nested too deeply"
                );
                if name == b"row" {
                    document.archive.rows.push(Vec::new());
                } else if name == b"rra" {
                    document.archive = Archive::default();
                }
                path.push(name);
                text.clear();
            }
            Event::Text(more) => text += &more.decode().context("no XML of rrdtool")?,
            Event::GeneralRef(reference) => {
                // Of names only: numbers have none.
                text.push(match reference.as_ref() {
                    b"lt" => '<',
                    b"gt" => '>',
                    b"quot" => '"',
                    b"apos" => '\'',
                    _ => '&',
                });
            }
            Event::End(_) => {
                document.take(&path, text.trim())?;
                path.pop();
                text.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    ensure!(path.is_empty(), "the XML ends early: it is cut");
    document.finish()
}

impl Document {
    /// Takes the text of the element at `path`, which ends.
    fn take(&mut self, path: &[Vec<u8>], text: &str) -> Result<()> {
        let names: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let number = || -> Result<f64> {
            let name = path.last().map(|name| String::from_utf8_lossy(name));
            value(text).with_context(|| {
                format!("<{}>: \"{text}\" is not a number", name.unwrap_or_default())
            })
        };
        match names[..] {
            [b"rrd", b"step"] | [b"xport", b"meta", b"step"] => self.step = number()?,
            [b"rrd", b"lastupdate"] => self.last_update = number()?,
            [b"xport", b"meta", b"start"] => self.start = number()?,
            [b"rrd", b"ds", b"name"] | [b"xport", b"meta", b"legend", b"entry"] => {
                self.names.push(text.to_owned());
            }
            [b"rrd", b"rra", b"cf"] => self.archive.is_average = text == "AVERAGE",
            [b"rrd", b"rra", b"pdp_per_row"] => self.archive.steps = number()?,
            [b"rrd", b"rra", b"database", b"row", b"v"] | [b"xport", b"data", b"row", b"v"] => {
                self.samples += 1;
                check_samples(self.samples)?;
                let row = self.archive.rows.last_mut().context("a value in no row")?;
                row.push(value(text).with_context(|| format!("\"{text}\" is not a value"))?);
            }
            [b"rrd", b"rra"] => {
                let archive = std::mem::take(&mut self.archive);
                let better = self.best.as_ref().is_none_or(|best| {
                    (archive.steps, best.rows.len()) < (best.steps, archive.rows.len())
                });
                if archive.is_average && better {
                    self.best = Some(archive);
                }
            }
            [b"xport"] => {
                let archive = std::mem::take(&mut self.archive);
                self.best = Some(Archive {
                    steps: 1.0,
                    ..archive
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Source>> {
        let Some(archive) = self.best else {
            bail!(
                "there is no archive of averages (AVERAGE) in it; it takes what \"rrdtool dump\" or \"rrdtool xport\" prints"
            );
        };
        let interval = self.step * archive.steps;
        ensure!(
            interval > 0.0,
            "it does not say the seconds between two rows (<step>)"
        );
        let last = (self.last_update / interval).floor() * interval;
        let first = if self.last_update > 0.0 {
            last - archive.rows.len().saturating_sub(1) as f64 * interval
        } else {
            self.start
        };
        let column = |(at, name): (usize, &String)| {
            let points = archive.rows.iter().enumerate().map(|(row, values)| {
                let value = values.get(at).with_context(|| {
                    format!(
                        "row {row} has {} values; there are {} data sources",
                        values.len(),
                        self.names.len()
                    )
                })?;
                Ok((first + row as f64 * interval, *value))
            });
            Ok((name.clone(), points.collect::<Result<Vec<_>>>()?))
        };
        self.names.iter().enumerate().map(column).collect()
    }
}

fn value(text: &str) -> Option<f64> {
    match text {
        "-nan" | "nan" | "NaN" | "U" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

/// Reads the text of `rrdtool fetch`: the names of the data sources, and lines `TIME: VALUE VALUE ...`.
///
/// # Errors
/// A line of another form.
pub fn read_fetched(reader: impl BufRead) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = Vec::new();
    let mut samples = 0;
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        if sources.is_empty() {
            let names = line.split_whitespace();
            sources = names.map(|name| (name.to_owned(), Vec::new())).collect();
            continue;
        }
        let row = || {
            let (time, values) = line.split_once(':')?;
            let values: Option<Vec<f64>> = values.split_whitespace().map(value).collect();
            Some((time.trim().parse::<f64>().ok()?, values?))
        };
        let (time, values) = row()
            .filter(|(_, values)| values.len() == sources.len())
            .with_context(|| {
                format!(
                    "line {number}: it takes TIME: and {} values, as \"rrdtool fetch\" prints them",
                    sources.len()
                )
            })?;
        samples += values.len();
        check_samples(samples)?;
        for ((_, points), value) in sources.iter_mut().zip(values) {
            points.push((time, value));
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE rrd SYSTEM "rrdtool.dtd">
<!-- Round Robin Database Dump -->
<rrd>
  <version>0003</version>
  <step>60</step> <!-- Seconds -->
  <lastupdate>1772496430</lastupdate> <!-- 2026-03-03 00:07:10 UTC -->
  <ds><name> a </name><type> GAUGE </type><value>0.0</value></ds>
  <ds><name> b&amp;c </name><type> GAUGE </type></ds>
  <rra><cf>MAX</cf><pdp_per_row>1</pdp_per_row>
    <database><row><v>9</v><v>9</v></row></database></rra>
  <rra><cf>AVERAGE</cf><pdp_per_row>5</pdp_per_row>
    <database><row><v>5</v><v>5</v></row></database></rra>
  <rra><cf>AVERAGE</cf><pdp_per_row>1</pdp_per_row>
    <cdp_prep><ds><primary_value>7</primary_value><value>NaN</value></ds></cdp_prep>
    <database>
      <!-- 2026-03-03 00:06:00 UTC / 1772496360 --> <row><v>1.5e+01</v><v>NaN</v></row>
      <!-- 2026-03-03 00:07:00 UTC / 1772496420 --> <row><v>2</v><v>3</v></row>
    </database></rra>
</rrd>"#;

    #[test]
    fn the_finest_averages_of_a_dump_have_the_times_of_its_comments() {
        let sources = read_xml(DUMP.as_bytes()).unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!(
            sources[0],
            (
                "a".into(),
                vec![(1_772_496_360.0, 15.0), (1_772_496_420.0, 2.0)]
            )
        );
        assert_eq!(sources[1].0, "b&c");
        assert!(sources[1].1[0].1.is_nan());
    }

    #[test]
    fn exports_and_fetched_rows_are_read() {
        let export = "<xport><meta><start>1772496060</start><step>60</step><legend><entry>a</entry><entry>b</entry></legend></meta>\
            <data><row><t>1772496060</t><v>1</v><v>2</v></row><row><v>3</v><v>4</v></row></data></xport>";
        let fetched =
            "            a      b\n\n1772496060: 1.0e+00 2.0e+00\n1772496120: 3.0e+00 4\n";
        let expected = [
            (
                "a".to_owned(),
                vec![(1_772_496_060.0, 1.0), (1_772_496_120.0, 3.0)],
            ),
            (
                "b".to_owned(),
                vec![(1_772_496_060.0, 2.0), (1_772_496_120.0, 4.0)],
            ),
        ];
        assert_eq!(read_xml(export.as_bytes()).unwrap(), expected);
        assert_eq!(read_fetched(fetched.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_rrdtool_does_not_print_is_refused() {
        for (text, says) in [
            (DUMP[..DUMP.len() - 6].to_owned(), "cut"),
            (
                "<rrd><step>60</step></rrd>".to_owned(),
                "no archive of averages",
            ),
            (DUMP.replace("1.5e+01", "much"), "\"much\" is not a value"),
            (
                DUMP.replace("<v>2</v><v>3</v>", "<v>2</v>"),
                "row 1 has 1 values; there are 2",
            ),
            ("<a><b></a>".to_owned(), "no XML of rrdtool"),
        ] {
            let error = format!("{:#}", read_xml(text.as_bytes()).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
        let error = read_fetched("a\n\n5: 1 2\n".as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 3: it takes TIME: and 1 values"),
            "{error}"
        );
    }
}
