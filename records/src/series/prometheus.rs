//! Answers of Prometheus to range queries: the JSON of its HTTP API and of `promtool query range -o json`, and the text of
//! `promtool query range` and `promtool tsdb dump`.

use std::fmt;
use std::io::{BufRead, Read};

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::labels::Labels;
use super::limits::SAMPLES_MAX;
use crate::times;

/// A labeled series: times in seconds since the epoch, and values; NaN is a missing sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabeledSeries {
    /// Its labels.
    pub labels: Labels,
    /// Times and values.
    pub points: Vec<(f64, f64)>,
}

/// A document of JSON: an answer of the HTTP API or its data or, of promtool, a list of series. `rrdtool xport --json` has the
/// same outermost keys as an answer.
pub enum Document {
    /// An object.
    Answer(Box<Answer>),
    /// A list of series.
    Series(Vec<Matrix>),
}

/// The keys of an answer.
#[derive(Default, Deserialize)]
pub struct Answer {
    status: Option<String>,
    error: Option<String>,
    data: Option<Data>,
    #[serde(rename = "resultType")]
    result_type: Option<String>,
    result: Option<Vec<Matrix>>,
    /// Of `rrdtool xport`.
    meta: Option<Meta>,
}

/// What is under `data`.
enum Data {
    Result(Box<Answer>),
    Rows(Vec<Vec<Option<f64>>>),
}

#[derive(Deserialize)]
struct Meta {
    start: f64,
    step: f64,
    legend: Vec<String>,
}

/// One series of a result.
#[derive(Deserialize)]
pub struct Matrix {
    #[serde(default)]
    metric: std::collections::BTreeMap<String, String>,
    values: Option<Vec<Sample>>,
}

/// A time in seconds and a value, which is in quotation marks.
struct Sample(f64, f64);

struct OfDocument;

impl<'de> Visitor<'de> for OfDocument {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer to a range query")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
        Answer::deserialize(MapAccessDeserializer::new(map)).map(|a| Document::Answer(Box::new(a)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Document, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Document::Series)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfDocument)
    }
}

struct OfData;

impl<'de> Visitor<'de> for OfData {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result of a range query")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
        Answer::deserialize(MapAccessDeserializer::new(map)).map(|a| Data::Result(Box::new(a)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Data, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Data::Rows)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfData)
    }
}

struct OfSample;

impl<'de> Visitor<'de> for OfSample {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample [TIME, \"VALUE\"] of a range query")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sample, A::Error> {
        let time: Option<f64> = seq.next_element()?;
        let value: Option<Value> = seq.next_element()?;
        match time.zip(value) {
            Some((time, Value(value))) => Ok(Sample(time, value)),
            None => Err(A::Error::custom("a sample without a time or a value")),
        }
    }
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OfSample)
    }
}

struct Value(f64);

struct OfValue;

impl Visitor<'_> for OfValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        number(text)
            .map(Value)
            .ok_or_else(|| E::custom(format_args!("\"{text}\" is not a value")))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value(value as f64))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value(f64::NAN))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfValue)
    }
}

/// A value as Prometheus writes it; "NaN" is one.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        text => text.parse().ok(),
    }
}

/// Reads a file of one or several documents of JSON.
///
/// # Errors
/// JSON that is none of these answers, an answer that reports an error, a query that was none of a range.
pub fn read_json(reader: impl Read) -> Result<Vec<LabeledSeries>> {
    let documents = serde_json::Deserializer::from_reader(reader).into_iter::<Document>();
    let (mut all, mut samples) = (Vec::new(), 0);
    for document in documents {
        let series = match document.context("no answer of Prometheus to a range query")? {
            Document::Answer(answer) => series_of(*answer)?,
            Document::Series(series) => labeled(series)?,
        };
        samples += series.iter().map(|s| s.points.len()).sum::<usize>();
        check_samples(samples)?;
        all.extend(series);
    }
    Ok(all)
}

/// Refuses more samples than are held in memory.
pub fn check_samples(samples: usize) -> Result<()> {
    ensure!(
        samples <= SAMPLES_MAX,
        "there are more than {SAMPLES_MAX} samples in it; record fewer days or hypervisors in a file"
    );
    Ok(())
}

fn series_of(answer: Answer) -> Result<Vec<LabeledSeries>> {
    if let (Some(meta), Some(Data::Rows(rows))) = (&answer.meta, &answer.data) {
        return exported(meta, rows);
    }
    if answer.status.as_deref() == Some("error") || answer.error.is_some() {
        bail!(
            "Prometheus answered with an error: {}",
            answer.error.as_deref().unwrap_or("it does not say which")
        );
    }
    let inner = match answer.data {
        Some(Data::Result(inner)) => *inner,
        Some(Data::Rows(_)) => {
            bail!("\"data\" is a list; the answer to a range query has \"result\" in it")
        }
        None => answer,
    };
    if let Some(kind) = inner
        .result_type
        .as_deref()
        .filter(|kind| *kind != "matrix")
    {
        bail!(
            "its resultType is \"{kind}\"; it takes \"matrix\", the answer to a range query (/api/v1/query_range)"
        );
    }
    let result = inner.result.context(
        "there is no \"result\" in it; it takes the answer to a range query (/api/v1/query_range)",
    )?;
    labeled(result)
}

fn labeled(series: Vec<Matrix>) -> Result<Vec<LabeledSeries>> {
    let labeled = |Matrix { metric, values }: Matrix| {
        let labels = Labels(metric);
        let values = values.with_context(|| {
            format!("the series {labels} has no \"values\"; it takes the answer to a range query (/api/v1/query_range)")
        })?;
        let points = values.into_iter().map(|Sample(time, value)| (time, value));
        Ok(LabeledSeries {
            labels,
            points: points.collect(),
        })
    };
    series.into_iter().map(labeled).collect()
}

/// The columns of `rrdtool xport --json`, each labeled with its legend as a VM.
fn exported(meta: &Meta, rows: &[Vec<Option<f64>>]) -> Result<Vec<LabeledSeries>> {
    let columns = meta.legend.iter().enumerate();
    columns
        .map(|(column, legend)| {
            let points = rows.iter().enumerate().map(|(at, row)| {
                let value = row.get(column).with_context(|| {
                    format!(
                        "row {at} of \"data\" has {} values; the legend has {}",
                        row.len(),
                        meta.legend.len()
                    )
                })?;
                let time = meta.start + at as f64 * meta.step;
                Ok((time, value.unwrap_or(f64::NAN)))
            });
            Ok(LabeledSeries {
                labels: Labels([("vm".to_owned(), legend.clone())].into()),
                points: points.collect::<Result<_>>()?,
            })
        })
        .collect()
}

/// Reads what `promtool query range` and `promtool tsdb dump` print: `{LABELS} =>` and lines `VALUE @[TIME]`, or lines
/// `{LABELS} VALUE TIME`.
///
/// # Errors
/// A line that is none of these.
pub fn read_text(reader: impl BufRead) -> Result<Vec<LabeledSeries>> {
    let mut all: Vec<LabeledSeries> = Vec::new();
    let mut at: std::collections::HashMap<Labels, usize> = std::collections::HashMap::new();
    let mut current = None;
    let mut samples = 0;
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut series = |labels: Labels| {
            *at.entry(labels).or_insert_with_key(|labels| {
                all.push(LabeledSeries {
                    labels: labels.clone(),
                    points: Vec::new(),
                });
                all.len() - 1
            })
        };
        let (place, value, time) = match sample_of_query(line) {
            Some((value, time)) => {
                let place = current.with_context(|| {
                    format!(
                        "line {number}: a value of no series; \"{{LABELS}} =>\" comes before it"
                    )
                })?;
                (place, value, time)
            }
            None => {
                let wrong = || {
                    format!(
                        "line {number}: neither \"{{LABELS}} =>\" nor \"VALUE @[TIME]\" nor \"{{LABELS}} VALUE TIME\", as promtool prints them"
                    )
                };
                let (labels, rest) = Labels::parse(line).with_context(wrong)?;
                let rest = rest.trim();
                if rest == "=>" {
                    current = Some(series(labels));
                    continue;
                }
                // What "query range" prints of a single sample is on the line of the labels.
                let behind = rest.strip_prefix("=>").map(str::trim);
                let (value, time) = match behind.and_then(sample_of_query) {
                    Some(sample) => sample,
                    None => sample_of_dump(rest).with_context(wrong)?,
                };
                (series(labels), value, time)
            }
        };
        all[place].points.push((time, value));
        samples += 1;
        check_samples(samples)?;
    }
    Ok(all)
}

/// `VALUE @[TIME]`.
fn sample_of_query(text: &str) -> Option<(f64, f64)> {
    let (value, time) = text.split_once(" @[")?;
    let time = time.strip_suffix(']')?.parse().ok()?;
    Some((number(value.trim())?, times::of_number(time)?))
}

/// `VALUE TIME`.
fn sample_of_dump(text: &str) -> Option<(f64, f64)> {
    let (value, time) = text.split_once(' ')?;
    Some((number(value)?, times::of_number(time.trim().parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", read_json(text.as_bytes()).unwrap_err())
    }

    const SERIES: &str =
        r#"{"metric":{"domain":"a"},"values":[[1772496000,"1.5"],[1772496060.5,"NaN"]]}"#;

    #[test]
    fn an_answer_its_data_a_list_of_series_and_several_of_them_are_read() {
        let answer = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{SERIES}]}}}}"#
        );
        let data = format!(r#"{{"resultType":"matrix","result":[{SERIES}]}}"#);
        let list = format!("[{SERIES}]");
        for (text, count) in [
            (answer.clone(), 1),
            (data, 1),
            (list, 1),
            (answer.repeat(2), 2),
        ] {
            let series = read_json(text.as_bytes()).unwrap();
            assert_eq!(series.len(), count, "{text}");
            assert_eq!(series[0].labels.get("domain"), Some("a"));
            assert_eq!(series[0].points[0], (1_772_496_000.0, 1.5));
            assert!(series[0].points[1].1.is_nan());
        }
    }

    #[test]
    fn an_answer_that_is_none_of_a_range_says_what_would_be_right() {
        for (text, says) in [
            (
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
                "answered with an error: parse error",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
                "\"vector\"; it takes \"matrix\"",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#,
                "\"vector\"; it takes \"matrix\"",
            ),
            (
                r#"[{"metric":{"domain":"a"},"value":[1,"2"]}]"#,
                "has no \"values\"; it takes the answer to a range query",
            ),
            (r#"{"series":[]}"#, "no \"result\" in it"),
            (
                r#"[{"metric":{},"values":[[1,"much"]]}]"#,
                "\"much\" is not a value",
            ),
            (
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"#,
                "range query",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_texts_of_promtool_are_read() {
        let query = "cpu{domain=\"a\"} =>\n1.5 @[1772496000]\n2 @[1772496060.5]\ncpu{domain=\"b\"} =>\n3 @[1772496000]\n";
        let dump = "{__name__=\"cpu\", domain=\"a\"} 1.5 1772496000000\n{__name__=\"cpu\", domain=\"a\"} 2 1772496060500\n{__name__=\"cpu\", domain=\"b\"} 3 1772496000000\n";
        let [query, dump] = [query, dump].map(|text| read_text(text.as_bytes()).unwrap());
        assert_eq!(query, dump);
        assert_eq!(
            query[0].points,
            [(1_772_496_000.0, 1.5), (1_772_496_060.5, 2.0)]
        );
        assert_eq!(query.len(), 2);
        for text in ["1 @[5]\n", "{a=\"b\"} much 5\n", "something else\n"] {
            let error = read_text(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 1: "), "{error}");
        }
    }
}
