//! Files of tensors: the form safetensors, with a description of the model as its only entry of metadata.
//!
//! One entry, because the form leaves the order of several open: the same model is the same bytes.

use std::io::{self, Read as _};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ModelError, at_most};
use crate::state_file;

/// Maximum size of a file in bytes.
pub const FILE_MAX_BYTES: u64 = 64 << 20;
/// Maximum number of tensors in a file.
const TENSORS_MAX: usize = 256;
/// The entry of the metadata.
const ENTRY: &str = "bellwether";
/// The version of the form of descriptions.
const VERSION: u32 = 1;

/// A matrix, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// The numbers, row by row.
    pub values: Vec<f32>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    /// The row at `at`.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.columns..][..self.columns]
    }

    /// Checks that it has this shape and finite numbers only.
    pub(crate) fn check(&self, name: &str, rows: usize, columns: usize) -> Result<(), ModelError> {
        if (self.rows, self.columns) != (rows, columns) || self.values.len() != rows * columns {
            let problem = format!(
                "has {} rows of {}; the other tensors require {rows} rows of {columns}",
                self.rows, self.columns
            );
            return Err(ModelError::tensor(name, problem));
        }
        if !self.values.iter().all(|value| value.is_finite()) {
            return Err(ModelError::tensor(
                name,
                "has values that are not finite numbers",
            ));
        }
        Ok(())
    }
}

/// The description around that of a kind of model.
#[derive(serde::Serialize, serde::Deserialize)]
struct Described<T> {
    format: u32,
    kind: String,
    model: T,
}

/// Tensors with their names, and a description of what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors<T> {
    /// The description.
    pub description: T,
    /// The tensors.
    pub tensors: Vec<(String, Matrix)>,
}

impl<T: Serialize + DeserializeOwned> Tensors<T> {
    /// The bytes of a file with these tensors; the same tensors are the same bytes.
    ///
    /// # Panics
    /// Two tensors have the same name, or one has another number of values than its shape.
    pub fn to_bytes(&self, kind: &str) -> Vec<u8> {
        let described = Described {
            format: VERSION,
            kind: kind.to_owned(),
            model: &self.description,
        };
        let text = serde_json::to_string(&described).expect("a description is JSON");
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|(_, matrix)| {
                let values = matrix.values.iter();
                values.flat_map(|value| value.to_le_bytes()).collect()
            })
            .collect();
        let views = self
            .tensors
            .iter()
            .zip(&bytes)
            .map(|((name, matrix), bytes)| {
                let shape = vec![matrix.rows, matrix.columns];
                let view = TensorView::new(Dtype::F32, shape, bytes);
                (
                    name,
                    view.expect("a matrix has as many values as its shape"),
                )
            });
        let metadata = [(ENTRY.to_owned(), text)].into_iter().collect();
        serialize(views, Some(metadata)).expect("tensors have names of their own")
    }

    /// The tensors in the bytes of a file that describes this `kind` of model.
    ///
    /// # Errors
    /// It is no such file, or of another kind or version.
    pub fn from_bytes(kind: &'static str, bytes: &[u8]) -> Result<Self, ModelError> {
        let foreign = |error: safetensors::SafeTensorError| ModelError::Foreign(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let text = metadata.metadata().as_ref().and_then(|all| all.get(ENTRY));
        let text = text.ok_or_else(|| {
            ModelError::Description(format!("its metadata have no entry \"{ENTRY}\""))
        })?;
        let undecodable =
            |error: serde_json::Error| ModelError::Description(format!("\"{ENTRY}\": {error}"));
        let head: Described<serde::de::IgnoredAny> =
            serde_json::from_str(text).map_err(undecodable)?;
        if head.format != VERSION {
            return Err(ModelError::Version {
                found: head.format,
                wanted: VERSION,
            });
        }
        if head.kind != kind {
            return Err(ModelError::Kind {
                found: head.kind,
                wanted: kind,
            });
        }
        let described: Described<T> = serde_json::from_str(text).map_err(undecodable)?;
        let file = SafeTensors::deserialize(bytes).map_err(foreign)?;
        at_most("tensors", file.len(), TENSORS_MAX)?;
        let mut tensors = Vec::with_capacity(file.len());
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                let problem = format!("is of type {:?}; it has to be F32", view.dtype());
                return Err(ModelError::tensor(name, problem));
            }
            let &[rows, columns] = view.shape() else {
                let problem = format!("has {} dimensions; it has to have 2", view.shape().len());
                return Err(ModelError::tensor(name, problem));
            };
            let (values, _) = view.data().as_chunks::<4>();
            let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let matrix = Matrix {
                rows,
                columns,
                values: values.collect(),
            };
            tensors.push((name.to_owned(), matrix));
        }
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self {
            description: described.model,
            tensors,
        })
    }

    /// Reads the file at `path`; it is never changed.
    ///
    /// # Errors
    /// There is no such file, it is no regular file or too large, or as [`Tensors::from_bytes`].
    pub fn read(kind: &'static str, path: &Path) -> Result<Self, ModelError> {
        let unreadable = |error: io::Error| ModelError::Unreadable(error.to_string());
        let file = state_file::open(path, FILE_MAX_BYTES, &mut |_| true).map_err(unreadable)?;
        let file = file.ok_or_else(|| {
            ModelError::Unreadable("there is no such file, or it is empty".into())
        })?;
        let mut bytes = Vec::new();
        // It may have grown since its size was checked.
        let read = file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(unreadable)?;
        at_most("bytes", bytes.len(), FILE_MAX_BYTES as usize)?;
        Self::from_bytes(kind, &bytes)
    }

    /// Writes the file at `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn save(&self, kind: &str, path: &Path) -> io::Result<()> {
        let bytes = self.to_bytes(kind);
        state_file::write(path, &mut |out| out.write_all(&bytes)).map(drop)
    }

    /// Takes the tensors with these names, in this order.
    ///
    /// # Errors
    /// One of them is missing, or there are others.
    pub fn take(self, names: &[String]) -> Result<(T, Vec<Matrix>), ModelError> {
        let mut there = self.tensors;
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            let at = there.iter().position(|(other, _)| other == name);
            let at = at.ok_or_else(|| ModelError::tensor(name, "is missing"))?;
            taken.push(there.swap_remove(at).1);
        }
        match there.first() {
            Some((name, _)) => Err(ModelError::tensor(name, "is none of such a model")),
            None => Ok((self.description, taken)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Tensors<Vec<u32>> {
        let matrix = |rows: usize, columns: usize| Matrix {
            rows,
            columns,
            values: (0..rows * columns).map(|i| i as f32 / 3.0).collect(),
        };
        Tensors {
            description: vec![7, 9],
            tensors: vec![("a".into(), matrix(2, 3)), ("b".into(), matrix(1, 4))],
        }
    }

    #[test]
    fn what_was_written_is_read_again_to_the_last_bit_and_written_the_same() {
        let bytes = tensors().to_bytes("some");
        let read = Tensors::from_bytes("some", &bytes).unwrap();
        assert_eq!(read, tensors());
        assert_eq!(read.to_bytes("some"), bytes);
        assert_eq!(bytes, tensors().to_bytes("some"));
    }

    #[test]
    fn a_damaged_file_is_refused_wherever_it_ends_and_whatever_its_header_says() {
        let bytes = tensors().to_bytes("some");
        let read = |bytes: &[u8]| Tensors::<Vec<u32>>::from_bytes("some", bytes);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() - 40 {
            let mut torn = bytes.clone();
            torn[at] ^= 0x55;
            // Whatever a header says, it is read or refused.
            let _ = read(&torn);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(read(&longer), Err(ModelError::Foreign(_))));
    }

    #[test]
    fn another_kind_or_version_and_a_file_of_others_is_refused_by_name() {
        let bytes = tensors().to_bytes("some");
        let error = Tensors::<Vec<u32>>::from_bytes("other", &bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it holds a model of \"some\", not of \"other\""
        );
        let later = String::from_utf8_lossy(&bytes).replacen("format\\\":1", "format\\\":2", 1);
        let error = Tensors::<Vec<u32>>::from_bytes("some", later.as_bytes());
        assert!(error.is_err());
        let none: [(&str, TensorView<'_>); 0] = [];
        let bytes = serialize(none, None).unwrap();
        let error = Tensors::<Vec<u32>>::from_bytes("some", &bytes).unwrap_err();
        assert!(error.to_string().contains("no entry \"bellwether\""));
    }

    #[test]
    fn a_tensor_that_is_missing_or_superfluous_is_named() {
        let take = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            tensors().take(&names).map_err(|e| e.to_string())
        };
        assert_eq!(take(&["b", "a"]).unwrap().1[0].columns, 4);
        assert!(
            take(&["a", "b", "c"])
                .unwrap_err()
                .contains("\"c\" is missing")
        );
        assert!(take(&["a"]).unwrap_err().contains("\"b\" is none"));
    }

    #[test]
    fn a_file_that_is_absent_no_file_or_too_large_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let says = |path: &Path| {
            let read = Tensors::<Vec<u32>>::read("some", path);
            read.unwrap_err().to_string()
        };
        assert!(says(&path).contains("no such file"));
        assert!(says(folder.path()).contains("not a regular file"));
        tensors().save("some", &path).unwrap();
        assert_eq!(Tensors::read("some", &path).unwrap(), tensors());
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(FILE_MAX_BYTES + 1).unwrap();
        assert!(says(&path).contains("more than the"));
        assert!(path.exists());
    }
}
