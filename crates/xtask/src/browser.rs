//! Chromium and ChromeDriver, which the browser tests and the benchmark drive.

use crate::cmd::{root, say};
use crate::setup;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the two programs are.
pub struct Browser {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// The WebDriver server of the same version.
    pub driver: PathBuf,
}

const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVER_NAMES: [&str; 1] = ["chromedriver"];
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-dejavu-core"];

/// Finds the browser (`CHROMIUM` and `CHROMEDRIVER` may name it), or installs Debian's packages where root and apt are there.
pub fn find_or_install() -> Result<Browser> {
    if let Some(found) = find() {
        say(&format!("browser: {} with {}", found.chromium.display(), found.driver.display()));
        return Ok(found);
    }
    if !setup::apt_install(&PACKAGES)? {
        bail!(
            "the browser tests need Chromium and the ChromeDriver of the same version; on Debian or Ubuntu: \
             `sudo apt-get install chromium chromium-driver`; elsewhere install both and name them in CHROMIUM and CHROMEDRIVER"
        );
    }
    find().context("apt has installed chromium and chromium-driver, but they are not on the PATH")
}

/// The description of the Vulkan driver, SwiftShader, that lies beside the browser's libraries.
pub fn vulkan_driver(browser: &Browser) -> Option<PathBuf> {
    // Debian's command is a script that starts the browser from there.
    let debian = PathBuf::from("/usr/lib/chromium");
    let own = browser.chromium.canonicalize().ok()?.parent()?.to_path_buf();
    [own, debian].map(|folder| folder.join("vk_swiftshader_icd.json")).into_iter().find(|file| file.is_file())
}

fn find() -> Option<Browser> {
    Some(Browser { chromium: locate("CHROMIUM", &CHROMIUM_NAMES)?, driver: locate("CHROMEDRIVER", &DRIVER_NAMES)? })
}

pub fn locate(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// A copy of `tests/webdriver.json` that names this machine's Chromium.
pub fn webdriver_json(chromium: &Path) -> Result<PathBuf> {
    let template = root().join("tests/webdriver.json");
    let text = fs::read_to_string(&template).with_context(|| format!("{} cannot be read", template.display()))?;
    let mut capabilities: serde_json::Value = serde_json::from_str(&text)?;
    capabilities["goog:chromeOptions"]["binary"] = chromium.to_string_lossy().into();
    let folder = root().join("target/xtask");
    fs::create_dir_all(&folder)?;
    let copy = folder.join("webdriver.json");
    fs::write(&copy, capabilities.to_string())?;
    Ok(copy)
}
