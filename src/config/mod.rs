//! Ini text to settings: everything that knows what a configuration file may say.

pub mod settings;
