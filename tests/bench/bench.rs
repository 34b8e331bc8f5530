//! What Rundbrief costs, measured on the release binary at default durability.
//!
//! `tests/bench/throughput`, `scale`, `soak`, `stop` and `micro` call this with their own
//! name as the first word; what they understand stands at the head of each module.
//! Nothing here asserts a time: tables are printed, and wrong sums are a failure.

mod bed;
mod micro;
mod page;
mod scale;
mod sink;
mod soak;
mod stop;
mod throughput;

/// The words behind a bench's name: `--name` or `--name value`.
struct Words(Vec<String>);

impl Words {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| word == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|word| word == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    fn number(&self, name: &str, usual: usize) -> usize {
        self.value(name).map_or(usual, |text| text.parse().expect(name))
    }

    fn numbers(&self, name: &str, usual: &[usize]) -> Vec<usize> {
        let read = |text: &str| text.split(',').map(|n| n.parse().expect(name)).collect();
        self.value(name).map_or_else(|| usual.to_vec(), read)
    }

    /// `--only sqlite` or `--only postgres` leaves the other out.
    fn databases(&self) -> Vec<bed::Place> {
        let only = self.value("--only").unwrap_or("");
        let mut places = Vec::new();
        if only != "postgres" {
            places.push(bed::Place::Sqlite);
        }
        if only != "sqlite" {
            places.push(bed::Place::Postgres(bed::Server::start(self.value("--postgres"))));
        }
        places
    }
}

fn main() {
    let mut given = std::env::args().skip(1).filter(|word| word != "--bench");
    let name = given.next().unwrap_or_default();
    let words = Words(given.collect());
    match name.as_str() {
        "throughput" => throughput::run(&words),
        "scale" => scale::run(&words),
        "soak" => soak::run(&words),
        "stop" => stop::run(&words),
        "micro" => micro::run(&words),
        other => {
            eprintln!("which bench? {other:?} is none of throughput, scale, soak, stop, micro")
        }
    }
}
