//! Why a model cannot be used.

/// Why a file of a model, or the model in it, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is no file of tensors.
    #[error("it is not a safetensors file, or it is damaged: {0}")]
    Foreign(String),
    /// It has no description of a model of bellwether, or one that cannot be decoded.
    #[error("it holds no model of bellwether: {0}")]
    Description(String),
    /// It holds another kind of model.
    #[error("it holds a model of \"{found}\", not of \"{wanted}\"")]
    Kind {
        /// The kind that it holds.
        found: String,
        /// The kind that was to be read.
        wanted: &'static str,
    },
    /// Its form is of another version.
    #[error("its form has version {found}; this library reads version {wanted}")]
    Version {
        /// The version that it has.
        found: u32,
        /// The version that can be read.
        wanted: u32,
    },
    /// A tensor is missing, superfluous, or not what it should be.
    #[error("the tensor \"{name}\" {problem}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// It is larger than a model may be.
    #[error("{what}: it has {found}, and at most {most} are allowed")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much it has.
        found: u64,
        /// How much it may have.
        most: u64,
    },
    /// It was made with options that give other templates.
    #[error("it was made with {option} = {then}, which is {now} now")]
    OtherOption {
        /// The option's name.
        option: String,
        /// Its value when the model was trained.
        then: String,
        /// Its value now.
        now: String,
    },
    /// Its channels are not those that are observed.
    #[error("its channels are {then}; those that are observed here are {now}")]
    OtherChannels {
        /// The channels that it was trained on.
        then: String,
        /// The channels that there are.
        now: String,
    },
}

impl ModelError {
    /// A tensor with a problem.
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }
}

/// Refuses more than `most` of something.
pub(crate) fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), ModelError> {
    if found > most {
        return Err(ModelError::Limit {
            what,
            found: found as u64,
            most: most as u64,
        });
    }
    Ok(())
}
