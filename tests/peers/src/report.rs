//! What a run prints: one JSON object on one line.

use crate::args::Args;

pub struct Report {
    pub unit: &'static str,
    pub value: f64,
    pub check: u64,
    /// p50, p99 and the largest, in ns, for figures that are latencies.
    pub spread_ns: Option<[u64; 3]>,
}

impl Report {
    pub fn new(unit: &'static str, value: f64, check: u64) -> Report {
        Report { unit, value, check, spread_ns: None }
    }

    pub fn latencies(mut samples_ns: Vec<u32>, check: u64) -> Report {
        samples_ns.sort_unstable();
        let p50 = percentile(&samples_ns, 50);
        let spread = [p50, percentile(&samples_ns, 99), percentile(&samples_ns, 100)];
        Report { unit: "ns", value: p50 as f64, check, spread_ns: Some(spread) }
    }

    pub fn print(&self, args: &Args) {
        let mut line = format!(
            "{{\"figure\":\"{}\",\"workers\":{},\"unit\":\"{}\",\"value\":{},\"check\":\"{}\",\"peak_kb\":{}",
            args.figure, args.workers, self.unit, self.value, self.check, peak_kb()
        );
        if let Some([p50, p99, max]) = self.spread_ns {
            line += &format!(",\"p50\":{p50},\"p99\":{p99},\"max\":{max}");
        }
        println!("{line}}}");
    }
}

/// The smallest sample that at least `percent` of all samples do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    u64::from(sorted[rank - 1])
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}
