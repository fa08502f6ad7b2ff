//! Firefox and WebKit, driven by `tests/browsers`: found or installed where that is possible, and named as left out where it is not.

use crate::browser::locate;
use crate::cmd::{self, command, run, say};
use crate::setup;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The locale that WebKit is run in; without one its language is `C`.
const LOCALE: &str = "en_US";

/// A browser that `tests/browsers/engines` opens.
pub struct Engine {
    /// Its name there.
    pub name: &'static str,
    /// Its programs, by the variables that the scripts read.
    programs: Vec<(&'static str, PathBuf)>,
}

impl Engine {
    /// Tells `command` where the programs are.
    pub fn told_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.programs.iter().map(|(variable, path)| (variable, path)))
    }
}

/// What can be had of both, and a sentence for each that cannot.
pub fn find_or_install() -> (Vec<Engine>, Vec<String>) {
    type Find = fn() -> Option<Engine>;
    let wanted: [(&str, Find, &[&str]); 2] =
        [("Firefox", firefox, &["firefox-esr"]), ("WebKit", webkit, &["webkit2gtk-driver", "xvfb", "locales"])];
    let (mut engines, mut left_out) = (Vec::new(), Vec::new());
    for (name, find, packages) in wanted {
        let outcome = match find() {
            Some(engine) => Ok(Some(engine)),
            None => setup::apt_install(packages).map(|_| find()),
        };
        match outcome {
            Ok(Some(engine)) => {
                say(&format!(
                    "{name}: {}",
                    engine.programs.iter().map(|(_, path)| path.display().to_string()).collect::<Vec<_>>().join(", ")
                ));
                engines.push(engine);
            }
            Ok(None) | Err(_) => {
                let why = format!("{name} (on Debian: sudo apt-get install {})", packages.join(" "));
                say(&format!("left out: {why}"));
                left_out.push(why);
            }
        }
    }
    (engines, left_out)
}

/// Installs the npm packages that drive them, and returns Node with its arguments in front.
pub fn node(args: &[&str]) -> Result<Command> {
    setup::npm_packages("tests/browsers")?;
    let mut node = command("node", args);
    node.current_dir(cmd::root().join("tests/browsers"));
    Ok(node)
}

fn firefox() -> Option<Engine> {
    let browser = locate("FIREFOX", &["firefox-esr", "firefox"])?;
    Some(Engine { name: "firefox", programs: vec![("DOWNHILL_FIREFOX", browser)] })
}

fn webkit() -> Option<Engine> {
    let driver = locate("WEBKIT_DRIVER", &["WebKitWebDriver"])?;
    let browser = std::env::var_os("WEBKIT").map(PathBuf::from).or_else(mini_browser)?;
    let screen = locate("XVFB", &["Xvfb"])?;
    if !has_locale() {
        run(&mut command("localedef", &["-i", LOCALE, "-f", "UTF-8", &format!("{LOCALE}.UTF-8")])).ok()?;
    }
    let programs = vec![("DOWNHILL_WEBKIT_DRIVER", driver), ("DOWNHILL_WEBKIT", browser), ("DOWNHILL_XVFB", screen)];
    Some(Engine { name: "webkit", programs })
}

/// WebKitGTK's browser, which no package puts on the PATH.
fn mini_browser() -> Option<PathBuf> {
    let machine = std::env::consts::ARCH;
    let folders = [format!("/usr/lib/{machine}-linux-gnu"), "/usr/libexec".to_owned(), "/usr/lib".to_owned()];
    let versions = ["webkitgtk-6.0", "webkit2gtk-4.1", "webkit2gtk-4.0"];
    let all =
        folders.iter().flat_map(|folder| versions.map(|version| PathBuf::from(format!("{folder}/{version}/MiniBrowser"))));
    all.into_iter().find(|file| file.is_file())
}

fn has_locale() -> bool {
    cmd::output("locale", &["-a"])
        .is_some_and(|all| all.lines().any(|name| name.eq_ignore_ascii_case(&format!("{LOCALE}.utf8"))))
}
