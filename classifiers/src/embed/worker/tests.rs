use std::sync::mpsc;

use futures_executor::block_on;

use super::*;

/// What the embedder does with the next text, by the text.
struct Odd {
    /// Told when a text has begun.
    begun: mpsc::Sender<String>,
    /// Waited for before "slow" ends.
    go: Receiver<()>,
}

impl Embedder for Odd {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.begun.send(text.to_owned()).unwrap();
        match text {
            "slow" => {
                self.go.recv().unwrap();
                Ok(vec![1.0, 0.0])
            }
            "nan" => Ok(vec![f32::NAN, 1.0]),
            "zero" => Ok(vec![0.0, 0.0]),
            "wide" => Ok(vec![1.0, 0.0, 0.0]),
            "panic" => panic!("as asked"),
            "long" => Err(EmbedError::TooLong { most: 4 }),
            _ => Ok(vec![0.6, 0.8]),
        }
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&[b"odd"])
    }
}

fn worker(queue: usize) -> (EmbedWorker, Receiver<String>, mpsc::Sender<()>) {
    let (begun, told) = mpsc::channel();
    let (going, go) = mpsc::channel();
    (EmbedWorker::start(Odd { begun, go }, queue).unwrap(), told, going)
}

fn embedded(worker: &EmbedWorker, text: &str) -> Result<Vector, EmbedError> {
    block_on(worker.embed(text)?)
}

#[test]
fn a_text_becomes_a_vector() {
    let (worker, _told, _go) = worker(4);
    let vector = embedded(&worker, "a question").unwrap();
    assert_eq!((vector.dimensions(), worker.dimensions()), (2, 2));
    assert!(vector.cosine(&Vector::try_new(&[0.6, 0.8]).unwrap()).unwrap() > 0.999);
    assert_eq!(worker.fingerprint(), Fingerprint::of(&[b"odd"]));
}

#[test]
fn what_a_model_does_wrong_is_told_apart_and_survived() {
    let (worker, _told, _go) = worker(4);
    for (text, name) in
        [("nan", "bad_vector"), ("zero", "bad_vector"), ("wide", "dimensions"), ("long", "too_long")]
    {
        assert_eq!(embedded(&worker, text).unwrap_err().name(), name);
        assert!(embedded(&worker, "a question").is_ok());
    }
    assert!(worker.is_alive());
}

#[test]
fn a_full_queue_refuses_at_once() {
    let (worker, told, go) = worker(2);
    let slow = worker.embed("slow").unwrap();
    assert_eq!(told.recv().unwrap(), "slow");
    let waiting = [worker.embed("one").unwrap(), worker.embed("two").unwrap()];
    assert_eq!(worker.embed("three").unwrap_err(), EmbedError::QueueFull);
    go.send(()).unwrap();
    assert!(block_on(slow).is_ok());
    for embedding in waiting {
        assert!(block_on(embedding).is_ok());
    }
    assert!(embedded(&worker, "three").is_ok());
}

#[test]
fn a_text_that_nobody_waits_for_is_passed_over() {
    let (worker, told, go) = worker(4);
    let slow = worker.embed("slow").unwrap();
    assert_eq!(told.recv().unwrap(), "slow");
    drop(worker.embed("given up").unwrap());
    let wanted = worker.embed("wanted").unwrap();
    go.send(()).unwrap();
    assert!(block_on(slow).is_ok() && block_on(wanted).is_ok());
    assert_eq!(told.recv().unwrap(), "wanted");
}

#[test]
fn a_panic_is_one_text_and_three_in_a_row_are_the_end() {
    let (worker, _told, _go) = worker(4);
    for _ in 0..2 * MOST_PANICS {
        assert_eq!(embedded(&worker, "panic"), Err(EmbedError::Panicked));
        assert!(embedded(&worker, "a question").is_ok());
    }
    for _ in 0..MOST_PANICS {
        assert_eq!(embedded(&worker, "panic"), Err(EmbedError::Panicked));
    }
    // The thread is ending: what is refused and what is taken and dropped come to the same.
    assert_eq!(embedded(&worker, "a question"), Err(EmbedError::Stopped));
    while worker.is_alive() {
        thread::yield_now();
    }
    assert_eq!(worker.embed("a question").unwrap_err(), EmbedError::Stopped);
}

#[test]
fn dropping_the_worker_ends_the_thread_and_what_waits() {
    let (worker, told, go) = worker(4);
    let slow = worker.embed("slow").unwrap();
    assert_eq!(told.recv().unwrap(), "slow");
    let waiting = worker.embed("waiting").unwrap();
    go.send(()).unwrap();
    drop(worker);
    assert!(block_on(slow).is_ok());
    // It may have been begun before the worker went, but not after.
    let waited = block_on(waiting);
    assert_eq!(
        waited.is_ok(),
        told.recv() == Ok("waiting".into()),
        "the thread is gone, and with it its sender"
    );
}

#[test]
fn a_text_too_long_to_count_never_reaches_the_thread() {
    let (worker, told, _go) = worker(1);
    let blanks = " ".repeat(1 << 20);
    assert_eq!(worker.embed(&blanks).unwrap_err().name(), "too_long");
    assert!(told.try_recv().is_err());
}
