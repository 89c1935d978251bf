//! The command line: a figure's name, then `--option value` pairs. A process of a cluster gets
//! `--processes N --process I --hosts HOST:PORT,HOST:PORT,...`.

use std::collections::HashMap;

pub struct Args {
    pub figure: String,
    /// Of each process.
    pub workers: usize,
    pub processes: usize,
    pub process: usize,
    options: HashMap<String, String>,
}

const FLAGS: &[&str] = &["spin", "by-row"];
const OPTIONS: &[&str] = &[
    "workers",
    "batch",
    "epochs",
    "outstanding",
    "rounds",
    "operators",
    "dataflows",
    "file",
    "nodes",
    "edges",
    "seconds",
    "rows",
    "keys",
    "changes",
    "processes",
    "process",
    "hosts",
];
/// Those that are not numbers.
const TEXTS: &[&str] = &["file", "hosts"];

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let figure = words.next().ok_or("which figure?")?;
        let mut options = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or(format!("unexpected '{word}'"))?;
            if FLAGS.contains(&name) {
                options.insert(name.to_string(), String::new());
            } else if OPTIONS.contains(&name) {
                let value = words.next().ok_or(format!("--{name} needs a value"))?;
                if !TEXTS.contains(&name) && value.parse::<u64>().is_err() {
                    return Err(format!("--{name} needs a number, not '{value}'"));
                }
                options.insert(name.to_string(), value);
            } else {
                return Err(format!("unknown option '{word}'"));
            }
        }
        let mut args = Args { figure, workers: 1, processes: 1, process: 0, options };
        args.workers = args.number("workers", 1) as usize;
        if args.workers == 0 {
            return Err("--workers must be at least 1".to_string());
        }
        args.processes = args.number("processes", 1) as usize;
        args.process = args.number("process", 0) as usize;
        if args.processes > 1 && (args.process >= args.processes || args.hosts().len() != args.processes) {
            return Err("--processes, --process and --hosts do not fit each other".to_string());
        }
        Ok(args)
    }

    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.options.get(name).map_or(default, |value| value.parse().expect("checked by parse"))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    fn hosts(&self) -> Vec<String> {
        let hosts = self.options.get("hosts").map_or("", String::as_str);
        hosts.split(',').map(str::to_string).collect()
    }

    pub fn path(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// One worker runs on a thread's own queues, as timely does when it is not told otherwise.
    pub fn config(&self) -> timely::Config {
        if self.processes > 1 {
            let communication = timely::CommunicationConfig::Cluster {
                threads: self.workers,
                process: self.process,
                addresses: self.hosts(),
                report: false,
                zerocopy: false,
            };
            let worker = timely::WorkerConfig::default();
            return timely::Config { communication, worker };
        }
        match self.workers {
            1 => timely::Config::thread(),
            n => timely::Config::process(n),
        }
    }
}
