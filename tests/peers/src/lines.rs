//! A text file's lines, shared out among workers, and their words.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

use crate::args::Args;

/// The file that a figure needs, and its size. Ends the program if there is none.
pub fn file_of(args: &Args) -> (String, u64) {
    let path = args.path("file").unwrap_or_else(|| {
        eprintln!("timely-peer: {} needs --file", args.figure);
        std::process::exit(2);
    });
    let bytes = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_else(|problem| {
        eprintln!("timely-peer: {path}: {problem}");
        std::process::exit(1);
    });
    (path.to_string(), bytes)
}

/// The lines that begin in one worker's share of the bytes.
pub struct Lines {
    reader: BufReader<File>,
    at: u64,
    end: u64,
}

impl Lines {
    pub fn open(path: &str, bytes: u64, index: usize, peers: usize) -> Lines {
        let (mut at, end) = share(bytes, index as u64, peers as u64);
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path).expect("file opens"));
        if at > 0 {
            // The line that the share's first byte lies in belongs to the share before it, unless
            // it begins exactly there.
            reader.seek(SeekFrom::Start(at - 1)).expect("file seeks");
            let mut skipped = Vec::new();
            at += reader.read_until(b'\n', &mut skipped).expect("file reads") as u64 - 1;
        }
        Lines { reader, at, end }
    }

    pub fn is_done(&self) -> bool {
        self.at >= self.end
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.is_done() {
            return None;
        }
        let mut line = String::new();
        let length = self.reader.read_line(&mut line).expect("file reads");
        if length == 0 {
            self.at = self.end;
            return None;
        }
        self.at += length as u64;
        Some(line)
    }
}

pub fn words_of(mut line: String) -> Vec<String> {
    line.make_ascii_lowercase();
    line.split(|c: char| !c.is_ascii_lowercase())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn share(bytes: u64, index: u64, peers: u64) -> (u64, u64) {
    (bytes * index / peers, bytes * (index + 1) / peers)
}
