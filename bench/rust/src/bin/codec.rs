//! The codec workload: `codec LIBRARY`. Prints "ready"; for each line "WARMUP SECONDS" on standard input, repeats all phases for so
//! long and prints the medians.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use ringwire_bench_peers::codec::{CAPACITY, Times, run};
use ringwire_bench_peers::memory_stream::MemoryStream;

fn median(times: &[Times], phase: impl Fn(&Times) -> Duration) -> u128 {
    let mut sorted: Vec<u128> = times.iter().map(|each| phase(each).as_nanos()).collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

async fn repeat(library: &str, stream: &mut MemoryStream, seconds: f64) -> Vec<Times> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || begin.elapsed().as_secs_f64() < seconds {
        times.push(run(library, stream).await.expect("no such library"));
    }
    times
}

fn main() {
    let library = std::env::args().nth(1).expect("usage: codec LIBRARY");
    // Nothing here waits, but some libraries look at the runtime's clock.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(tokio::task::unconstrained(async {
        let mut stream = MemoryStream::new(CAPACITY);
        println!("ready");
        for line in io::stdin().lock().lines() {
            let line = line.unwrap();
            let spans: Vec<f64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            repeat(&library, &mut stream, spans[0]).await;
            let times = repeat(&library, &mut stream, spans[1]).await;
            println!(
                "{{\"passes\":{},\"sendNs\":{},\"echoNs\":{},\"recvNs\":{}}}",
                times.len(),
                median(&times, |each| each.send),
                median(&times, |each| each.echo),
                median(&times, |each| each.recv),
            );
            io::stdout().flush().unwrap();
        }
    }));
}
