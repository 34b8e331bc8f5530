//! rundbrief.toml, environment, systemd credentials.
