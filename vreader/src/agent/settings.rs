//! An agent's choices and limits, as an administrator writes them in a TOML file.
//!
//! ```
//! use std::time::Duration;
//! use vreader::agent::Settings;
//!
//! let settings = Settings::parse(
//!     r#"
//!     interval = "7d"              # a card for which nothing was pending is not asked about again before
//!     delay = "2min"               # nothing is asked before the agent has run so long
//!     check-timeout = "5s"         # how long the management system may take to say what is pending
//!     notice = "5s"                # how long a notice stays; then it counts as dismissed
//!     portal-limit = "600s"        # how long an update may take
//!     updates = true               # client control: whether updates may be run from here
//!     root = "cms-root.pem"        # the management system's root certificate, which updates need
//!     minimum-version = "0.1"      # of the management system
//!     portal = "https://cms.example/update"
//!     "#,
//! )?;
//! assert_eq!(settings.interval, Duration::from_hours(7 * 24));
//! # Ok::<(), vreader::agent::SettingsError>(())
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{Version, span};

/// Choices and limits. Those that a file does not name have the values of HID's documentation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// A card for which nothing was pending is not asked about again before; nothing: at every insertion.
    #[serde(deserialize_with = "span::deserialize")]
    pub interval: Duration,
    /// Nothing is asked before the agent has run so long.
    #[serde(deserialize_with = "span::deserialize")]
    pub delay: Duration,
    /// How long the management system may take to say what is pending.
    #[serde(deserialize_with = "span::deserialize")]
    pub check_timeout: Duration,
    /// How long a notice stays; then it counts as dismissed.
    #[serde(deserialize_with = "span::deserialize")]
    pub notice: Duration,
    /// How long an update may take.
    #[serde(deserialize_with = "span::deserialize")]
    pub portal_limit: Duration,
    /// Client control: whether updates may be run from here.
    pub updates: bool,
    /// The file with the management system's root certificate, in PEM.
    pub root: Option<PathBuf>,
    /// An older management system is not asked.
    pub minimum_version: Version,
    /// The address at which a holder finds the management system's pages.
    pub portal: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_hours(7 * 24),
            delay: Duration::ZERO,
            check_timeout: Duration::from_secs(5),
            notice: Duration::from_secs(5),
            portal_limit: Duration::from_mins(10),
            updates: true,
            root: None,
            minimum_version: Version { major: 0, minor: 1 },
            portal: None,
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not TOML, or has what settings do not have.
    #[error("the settings{}: {problem}", place.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default())]
    Toml {
        /// The file, if it was one.
        place: Option<PathBuf>,
        /// Where and what.
        problem: String,
    },
}

impl Settings {
    /// Settings as they stand in a file. A path in them that is not absolute begins at the file's folder.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text =
            fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.into(), source })?;
        let mut settings = Self::parse(&text).map_err(|error| match error {
            SettingsError::Toml { problem, .. } => SettingsError::Toml { place: Some(path.into()), problem },
            other => other,
        })?;
        if let (Some(root), Some(folder)) = (&mut settings.root, path.parent()) {
            *root = folder.join(&*root);
        }
        Ok(settings)
    }

    /// The same from a text.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| SettingsError::Toml {
            place: None,
            problem: error.to_string().trim_end().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_there_are_the_documented_values() {
        let settings = Settings::parse("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.interval, span::parse("7d").unwrap());
        assert_eq!(settings.check_timeout, Duration::from_secs(5));
        assert_eq!(settings.notice, Duration::from_secs(5));
        assert_eq!(settings.portal_limit, span::parse("600s").unwrap());
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_name() {
        for (text, word) in [
            ("intervall = \"7d\"", "intervall"),
            ("interval = 7", "interval"),
            ("interval = \"weekly\"", "weekly"),
            ("updates = \"no\"", "updates"),
            ("minimum-version = \"five\"", "five"),
            ("interval", "interval"),
        ] {
            let error = Settings::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn the_root_certificate_is_looked_for_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        for (written, expected) in
            [("root.pem", folder.path().join("root.pem")), ("/etc/root.pem", "/etc/root.pem".into())]
        {
            fs::write(&path, format!("root = \"{written}\"\n")).unwrap();
            assert_eq!(Settings::read(&path).unwrap().root, Some(expected));
        }
        fs::write(&path, "x = 1\n").unwrap();
        let error = Settings::read(&path).unwrap_err().to_string();
        assert!(error.contains("agent.toml"), "{error}");
        assert!(matches!(Settings::read(&folder.path().join("none")), Err(SettingsError::Read { .. })));
    }
}
