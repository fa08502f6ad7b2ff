//! A small static file server: the whole folder in memory, compressed copies, validators and caching headers as a good host sends them.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// No browser sends a longer request for a file.
const LONGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 64;

/// A running server on 127.0.0.1; it stops with the process.
pub struct Server {
    port: u16,
    thread: JoinHandle<()>,
}

impl Server {
    /// Opens `port`, where 0 takes a free one, before anything else takes its time; browsers that come early wait.
    pub fn listen(port: u16) -> Result<TcpListener> {
        TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port} cannot be opened; stop what uses it or choose another with --port"))
    }

    /// Serves `folder` to whoever comes to `listener`.
    pub fn start(folder: &Path, listener: TcpListener) -> Result<Self> {
        let site = Arc::new(Site::load(folder)?);
        let port = listener.local_addr()?.port();
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&site);
                // A thread for each connection: a pool would let a new one wait for an old one that is only kept open.
                // A browser that has gone away is no error of ours.
                thread::spawn(move || converse(&site, stream).is_ok());
            }
        });
        Ok(Self { port, thread })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until the process is stopped.
    pub fn wait(self) {
        let _ = self.thread.join();
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
    /// The address holds a hash of the contents, so that a copy never grows old.
    immutable: bool,
}

/// What goes back to the browser.
struct Reply<'a> {
    status: &'static str,
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
            return Reply {
                status: "404 Not Found",
                headers: vec![("Content-Type", "text/plain".to_owned())],
                body: b"not found",
            };
        };
        let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut headers = vec![
            ("Content-Type", asset.kind.to_owned()),
            ("Cache-Control", cache.to_owned()),
            ("ETag", asset.etag.clone()),
            ("Vary", "Accept-Encoding".to_owned()),
            // Pages of other origins hold widgets, whose modules and wasm come from here.
            ("Access-Control-Allow-Origin", "*".to_owned()),
        ];
        if if_none_match == Some(asset.etag.as_str()) {
            return Reply { status: "304 Not Modified", headers, body: b"" };
        }
        match &asset.brotli {
            Some(brotli) if accept_encoding.split(',').any(|name| name.trim() == "br") => {
                headers.push(("Content-Encoding", "br".to_owned()));
                Reply { status: "200 OK", headers, body: brotli }
            }
            _ => Reply { status: "200 OK", headers, body: &asset.bytes },
        }
    }
}

impl Asset {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        Self { brotli: None, kind: mime(path), etag, immutable: has_hash(path), bytes }
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
            let path = format!("{prefix}{name}");
            let asset = Asset { brotli, ..Asset::new(&path, fs::read(entry.path())?) };
            files.insert(path, asset);
        }
    }
    Ok(())
}

/// Answers one request after the other until the browser closes the connection.
fn converse(site: &Site, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&received) {
            Ok(httparse::Status::Complete(length)) => {
                stream.write_all(&answer(site, &request))?;
                received.drain(..length);
            }
            Ok(httparse::Status::Partial) if received.len() < LONGEST_HEAD => {
                let mut chunk = [0; 4096];
                let count = stream.read(&mut chunk)?;
                if count == 0 {
                    return Ok(());
                }
                received.extend_from_slice(&chunk[..count]);
            }
            _ => return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        }
    }
}

/// The bytes of the answer to a request, head and body.
fn answer(site: &Site, request: &httparse::Request<'_, '_>) -> Vec<u8> {
    let method = request.method.unwrap_or_default();
    if !matches!(method, "GET" | "HEAD") {
        return b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_vec();
    }
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let url = request.path.unwrap_or("/");
    let reply = site.reply(url, header("If-None-Match"), header("Accept-Encoding").unwrap_or(""));
    let mut bytes = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", reply.status, reply.body.len()).into_bytes();
    for (name, value) in &reply.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if method == "GET" {
        bytes.extend_from_slice(reply.body);
    }
    bytes
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" | "md" | "csv" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a file lies in the folder of a release, `/0123456789abcdef/site.js`, or Trunk has put a hash into its name, `page-0123456789abcdef.css`.
fn has_hash(path: &str) -> bool {
    path.split(['/', '-', '.', '_']).any(|part| part.len() >= 15 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let page = Asset { brotli: Some(b"small".to_vec()), ..Asset::new("index.html", b"<p>hello</p>".repeat(200)) };
        let wasm = Asset::new("/d5792a7052f1862c/site_bg.wasm", vec![0; 4096]);
        Site { files: BTreeMap::from([("/index.html".to_owned(), page), ("/d5792a7052f1862c/site_bg.wasm".to_owned(), wasm)]) }
    }

    fn header<'a>(reply: &'a Reply<'_>, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_folder_is_answered_by_its_index_whatever_the_query() {
        let site = site();
        let reply = site.reply("/?theme=dark", None, "");
        assert_eq!((reply.status, header(&reply, "Content-Type")), ("200 OK", Some("text/html; charset=utf-8")));
        assert_eq!(site.reply("/../Cargo.toml", None, "").status, "404 Not Found");
    }

    #[test]
    fn only_addresses_with_a_hash_are_cached_without_asking_again() {
        let site = site();
        assert_eq!(header(&site.reply("/", None, ""), "Cache-Control"), Some("no-cache"));
        let wasm = site.reply("/d5792a7052f1862c/site_bg.wasm", None, "");
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
        assert_eq!((again.status, again.body.len()), ("304 Not Modified", 0));
    }

    #[test]
    fn connections_that_are_kept_open_do_not_hold_up_a_new_one() {
        let folder = std::env::temp_dir().join(format!("downhill-server-{}", std::process::id()));
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("a.txt"), "hello")).expect("a writable folder");
        let listener = Server::listen(0).expect("there is a free port");
        let server = Server::start(&folder, listener).expect("the folder can be read");
        let mut open = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
            stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a timeout that is not zero");
            // Two requests on one connection, the second in two pieces.
            stream.write_all(b"HEAD /a.txt HTTP/1.1\r\n\r\nGET /a.txt HT").expect("an open connection");
            stream.write_all(b"TP/1.1\r\n\r\n").expect("an open connection");
            let mut answer = Vec::new();
            while !answer.ends_with(b"hello") {
                let mut chunk = [0; 512];
                let count = stream.read(&mut chunk).expect("an answer in time");
                assert!(count > 0, "the connection was closed after {:?}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(&chunk[..count]);
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            open.push(stream);
        }
        fs::remove_dir_all(&folder).expect("the temporary folder is ours");
    }
}
