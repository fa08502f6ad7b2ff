//! A small static file server: the whole folder in memory, compressed copies, validators and caching headers as a good host sends them.

use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tiny_http::{Header, Method, Request, Response};

/// Answers at once; a page opens about six connections.
const THREADS: usize = 6;

/// A running server on 127.0.0.1; it stops with the process.
pub struct Server {
    port: u16,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves `folder` on `port`, where 0 takes a free one.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        let site = Arc::new(Site::load(folder)?);
        let http = tiny_http::Server::http(("127.0.0.1", port)).map_err(|error| {
            anyhow!("port {port} cannot be opened ({error}); stop what uses it or choose another with --port")
        })?;
        let http = Arc::new(http);
        let port = http.server_addr().to_ip().context("an IP server has an IP address")?.port();
        let threads = (0..THREADS)
            .map(|_| {
                let (http, site) = (Arc::clone(&http), Arc::clone(&site));
                thread::spawn(move || {
                    while let Ok(request) = http.recv() {
                        // A browser that has gone away is no error of ours.
                        let _ = answer(&site, request);
                    }
                })
            })
            .collect();
        Ok(Self { port, threads })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until the process is stopped.
    pub fn wait(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// The files of a folder by address.
struct Site {
    files: BTreeMap<String, Asset>,
}

struct Asset {
    bytes: Vec<u8>,
    /// The contents of `NAME.br`, where the build has put one beside the file.
    brotli: Option<Vec<u8>>,
    kind: &'static str,
    etag: String,
    /// The name holds a hash of the contents, so that a copy never grows old.
    immutable: bool,
}

/// What goes back to the browser.
struct Reply<'a> {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'a [u8],
}

impl Site {
    fn load(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        load_into(&mut files, folder, "/").with_context(|| format!("{} cannot be read", folder.display()))?;
        Ok(Self { files })
    }

    /// Answers a GET for `url`; `if_none_match` and `accept_encoding` are the request's headers.
    fn reply(&self, url: &str, if_none_match: Option<&str>, accept_encoding: &str) -> Reply<'_> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let path = if path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
        let Some(asset) = self.files.get(&path) else {
            return Reply { status: 404, headers: vec![("Content-Type", "text/plain".to_owned())], body: b"not found" };
        };
        let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut headers = vec![
            ("Content-Type", asset.kind.to_owned()),
            ("Cache-Control", cache.to_owned()),
            ("ETag", asset.etag.clone()),
            ("Vary", "Accept-Encoding".to_owned()),
        ];
        if if_none_match == Some(asset.etag.as_str()) {
            return Reply { status: 304, headers, body: b"" };
        }
        match &asset.brotli {
            Some(brotli) if accept_encoding.split(',').any(|name| name.trim() == "br") => {
                headers.push(("Content-Encoding", "br".to_owned()));
                Reply { status: 200, headers, body: brotli }
            }
            _ => Reply { status: 200, headers, body: &asset.bytes },
        }
    }
}

impl Asset {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        Self { brotli: None, kind: mime(name), etag, immutable: has_hash(name), bytes }
    }
}

fn load_into(files: &mut BTreeMap<String, Asset>, folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with(".br") {
            continue;
        }
        if entry.path().is_dir() {
            load_into(files, &entry.path(), &format!("{prefix}{name}/"))?;
        } else {
            let brotli = fs::read(folder.join(format!("{name}.br"))).ok();
            files.insert(format!("{prefix}{name}"), Asset { brotli, ..Asset::new(&name, fs::read(entry.path())?) });
        }
    }
    Ok(())
}

fn answer(site: &Site, request: Request) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(Response::empty(405));
    }
    let header = |name: &'static str| {
        request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
    };
    let reply = site.reply(request.url(), header("If-None-Match"), header("Accept-Encoding").unwrap_or(""));
    let headers =
        reply.headers.iter().filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok()).collect();
    let response = Response::new(reply.status.into(), headers, reply.body, Some(reply.body.len()), None);
    // Chunks would hide the length, from which the page shows its progress.
    request.respond(response.with_chunked_threshold(usize::MAX))
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" | "md" | "csv" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a name carries Trunk's content hash: `app-0123456789abcdef_bg.wasm`.
fn has_hash(name: &str) -> bool {
    name.split(['-', '.', '_']).any(|part| part.len() >= 15 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let page = Asset { brotli: Some(b"small".to_vec()), ..Asset::new("index.html", b"<p>hello</p>".repeat(200)) };
        let wasm = Asset::new("app-d5792a7052f1862c_bg.wasm", vec![0; 4096]);
        Site { files: BTreeMap::from([("/index.html".to_owned(), page), ("/app-d5792a7052f1862c_bg.wasm".to_owned(), wasm)]) }
    }

    fn header<'a>(reply: &'a Reply<'_>, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_folder_is_answered_by_its_index_whatever_the_query() {
        let site = site();
        let reply = site.reply("/?theme=dark", None, "");
        assert_eq!((reply.status, header(&reply, "Content-Type")), (200, Some("text/html; charset=utf-8")));
        assert_eq!(site.reply("/../Cargo.toml", None, "").status, 404);
    }

    #[test]
    fn only_names_with_a_hash_are_cached_without_asking_again() {
        let site = site();
        assert_eq!(header(&site.reply("/", None, ""), "Cache-Control"), Some("no-cache"));
        let wasm = site.reply("/app-d5792a7052f1862c_bg.wasm", None, "");
        assert_eq!(header(&wasm, "Content-Type"), Some("application/wasm"));
        assert!(header(&wasm, "Cache-Control").is_some_and(|cache| cache.ends_with("immutable")));
    }

    #[test]
    fn a_copy_that_is_still_good_is_not_sent_again() {
        let site = site();
        let first = site.reply("/", None, "gzip, br");
        assert_eq!((header(&first, "Content-Encoding"), first.body), (Some("br"), &b"small"[..]));
        assert_eq!(header(&site.reply("/", None, "gzip"), "Content-Encoding"), None);
        let again = site.reply("/", header(&first, "ETag"), "br");
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}
