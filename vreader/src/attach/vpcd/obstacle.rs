//! What keeps a card out of the reader, in words a person can act on.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Endpoint;

/// Where to look for pcscd. Unit tests look nowhere: they must not wake this machine's pcscd.
const ROOT: &str = if cfg!(test) { "/nonexistent" } else { "/" };

/// Slots of the vpcd that Debian builds.
const SLOTS_OF_DEBIAN: usize = 2;

/// What stands between a card and its reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// pcscd is not on this machine.
    #[error(
        "nothing listens on {endpoint}: pcscd is not installed. \
         Install it and the vpcd driver: apt-get install pcscd vsmartcard-vpcd"
    )]
    PcscdMissing {
        /// Where vpcd should listen.
        endpoint: Endpoint,
    },

    /// pcscd is there, its configuration names no vpcd.
    #[error(
        "nothing listens on {endpoint}: no file in /etc/reader.conf.d names the vpcd driver. \
         Install it: apt-get install vsmartcard-vpcd; then restart pcscd: systemctl restart pcscd"
    )]
    DriverMissing {
        /// Where vpcd should listen.
        endpoint: Endpoint,
    },

    /// pcscd and vpcd are installed, and pcscd does not run.
    #[error(
        "nothing listens on {endpoint}: pcscd is not running. \
         Start it: systemctl start pcscd; or, without systemd, as root: pcscd"
    )]
    PcscdNotRunning {
        /// Where vpcd should listen.
        endpoint: Endpoint,
    },

    /// pcscd runs and vpcd is configured, yet the port is closed.
    #[error(
        "nothing listens on {endpoint}, although pcscd runs and vpcd is configured. \
         pcscd loads its drivers when it starts: systemctl restart pcscd; \
         and the port must be that of CHANNELID in /etc/reader.conf.d/vpcd"
    )]
    DriverNotLoaded {
        /// Where vpcd should listen.
        endpoint: Endpoint,
    },

    /// The slot is beyond those that Debian's vpcd has.
    #[error(
        "nothing listens on {endpoint}: Debian's vpcd has {SLOTS_OF_DEBIAN} slots, this would be slot {slot}. \
         For more cards give pcscd a second entry in /etc/reader.conf.d, with a CHANNELID and a copy of \
         libifdvpcd.so of its own, and start another vreader with --port"
    )]
    NoSuchSlot {
        /// Where vpcd should listen.
        endpoint: Endpoint,
        /// The slot, counted from 0.
        slot: usize,
    },

    /// Nothing listens on another machine.
    #[error(
        "nothing listens on {endpoint}: on that machine pcscd must run with the vpcd driver (vsmartcard-vpcd)"
    )]
    RemoteRefused {
        /// Where vpcd should listen.
        endpoint: Endpoint,
    },

    /// vpcd accepted the connection and asks nothing: another card is in the slot.
    #[error(
        "another virtual card sits in the slot behind {endpoint}; \
         this card waits and takes the slot when that one leaves"
    )]
    SlotTaken {
        /// The slot's address.
        endpoint: Endpoint,
    },

    /// The address does not answer: a firewall, or a queue that is full.
    #[error(
        "{endpoint} does not answer: a firewall drops the connection, or other cards already wait for this slot"
    )]
    NoAnswer {
        /// The slot's address.
        endpoint: Endpoint,
    },

    /// The address cannot be reached or found.
    #[error("cannot reach {endpoint}: {problem}")]
    Unreachable {
        /// Where vpcd should listen.
        endpoint: Endpoint,
        /// What the system says.
        problem: String,
    },

    /// Something listens there which is not vpcd.
    #[error("what listens on {endpoint} is not vpcd: it closed the connection without asking for a card")]
    NotVpcd {
        /// The address that was tried.
        endpoint: Endpoint,
    },
}

impl Obstacle {
    pub(super) fn unreachable(endpoint: &Endpoint, problem: &io::Error) -> Self {
        Self::Unreachable { endpoint: endpoint.clone(), problem: problem.to_string() }
    }

    /// Finds out why a port is closed: by looking around on this machine, which is all that can be done for a
    /// remote one.
    pub(super) fn nothing_listens(endpoint: &Endpoint, slot: usize, local: bool) -> Self {
        if local {
            Self::diagnose(Path::new(ROOT), endpoint, slot)
        } else {
            Self::RemoteRefused { endpoint: endpoint.clone() }
        }
    }

    fn diagnose(root: &Path, endpoint: &Endpoint, slot: usize) -> Self {
        let endpoint = endpoint.clone();
        if !pcscd_installed(root) {
            Self::PcscdMissing { endpoint }
        } else if !driver_configured(root) {
            Self::DriverMissing { endpoint }
        } else if !pcscd_runs(root) {
            Self::PcscdNotRunning { endpoint }
        } else if slot >= SLOTS_OF_DEBIAN {
            Self::NoSuchSlot { endpoint, slot }
        } else {
            Self::DriverNotLoaded { endpoint }
        }
    }
}

fn pcscd_installed(root: &Path) -> bool {
    ["usr/sbin/pcscd", "usr/local/sbin/pcscd", "usr/bin/pcscd"].iter().any(|path| root.join(path).exists())
}

/// Whether a reader of reader.conf(5) is driven by vpcd.
fn driver_configured(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("etc/reader.conf.d")) else { return false };
    entries.flatten().any(|entry| {
        let text = fs::read(entry.path()).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .any(|line| line.trim_start().starts_with("LIBPATH") && line.contains("libifdvpcd"))
    })
}

/// Whether pcscd answers on its socket.
///
/// Where systemd holds that socket, as on Debian, the knock also starts pcscd, which opens vpcd's ports; so
/// the next attempt finds them, and a pcscd that left for want of clients is brought back.
fn pcscd_runs(root: &Path) -> bool {
    UnixStream::connect(root.join("run/pcscd/pcscd.comm")).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    /// A directory that stands for `/`, removed at the end.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("vreader-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn diagnosis_names_the_first_thing_that_is_missing() {
        let root = Root::new("diagnosis");
        let endpoint = Endpoint::default();
        let diagnose = |slot| Obstacle::diagnose(&root.0, &endpoint, slot);

        assert_eq!(diagnose(0), Obstacle::PcscdMissing { endpoint: endpoint.clone() });

        root.write("usr/sbin/pcscd", "");
        assert_eq!(diagnose(0), Obstacle::DriverMissing { endpoint: endpoint.clone() });

        root.write(
            "etc/reader.conf.d/twin",
            "#LIBPATH /usr/lib/libifdvpcd.so\nLIBPATH /usr/lib/libccidtwin.so\n",
        );
        assert_eq!(diagnose(0), Obstacle::DriverMissing { endpoint: endpoint.clone() });

        root.write("etc/reader.conf.d/vpcd", "FRIENDLYNAME x\nLIBPATH  /usr/lib/libifdvpcd.so\n");
        assert_eq!(diagnose(0), Obstacle::PcscdNotRunning { endpoint: endpoint.clone() });

        root.write("run/pcscd/pcscd.pid", "1");
        let _pcscd = UnixListener::bind(root.0.join("run/pcscd/pcscd.comm")).unwrap();
        assert_eq!(diagnose(1), Obstacle::DriverNotLoaded { endpoint: endpoint.clone() });
        assert_eq!(diagnose(2), Obstacle::NoSuchSlot { endpoint, slot: 2 });
    }

    #[test]
    fn words_say_where_what_and_what_next() {
        let endpoint = Endpoint::default();
        for (obstacle, words) in [
            (Obstacle::PcscdMissing { endpoint: endpoint.clone() }, "apt-get install pcscd vsmartcard-vpcd"),
            (Obstacle::DriverMissing { endpoint: endpoint.clone() }, "apt-get install vsmartcard-vpcd"),
            (Obstacle::PcscdNotRunning { endpoint: endpoint.clone() }, "systemctl start pcscd"),
            (Obstacle::DriverNotLoaded { endpoint: endpoint.clone() }, "systemctl restart pcscd"),
            (
                Obstacle::NoSuchSlot { endpoint: endpoint.clone(), slot: 2 },
                "has 2 slots, this would be slot 2",
            ),
            (Obstacle::SlotTaken { endpoint: endpoint.clone() }, "when that one leaves"),
            (Obstacle::NoAnswer { endpoint: endpoint.clone() }, "firewall"),
            (Obstacle::RemoteRefused { endpoint: endpoint.clone() }, "on that machine"),
            (Obstacle::NotVpcd { endpoint }, "is not vpcd"),
        ] {
            let text = obstacle.to_string();
            assert!(text.contains("127.0.0.1:35963"), "{text}");
            assert!(text.contains(words), "{text}");
            assert!(!text.contains('\n'), "one line: {text}");
        }
    }
}
