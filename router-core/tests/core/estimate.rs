//! The one-pass estimate against counts of a real vocabulary.

use router_core::estimate_tokens;

pub struct Sample {
    pub name: &'static str,
    pub text: &'static str,
    /// Tokens in `o200k_base`, counted once with tiktoken.
    pub tokens: u64,
    /// How far off the estimate may be, in per cent. A single short text scatters more than the mean of many.
    pub tolerance: u64,
}

pub const SAMPLES: &[Sample] = &[
    Sample {
        name: "a letter",
        text: "Dear Mrs Hartley,\n\nThank you for your letter of last week about the garden wall. We have looked at \
the plans again, and I am sorry to say that the surveyor was right: the northern end stands almost half a metre \
inside your neighbour's land. Nobody noticed when the house changed hands, because the old hedge hid the boundary \
stones. There are two ways out of this. Either we move the wall, which would cost you about as much as the new roof, \
or your neighbour agrees to sell the strip, and then the matter is settled with a signature. I would try the second \
way first. He told me himself that he has no use for it, and that he only wants it written down properly.\n\nPlease \
let me know what you think before the end of the month.\n\nYours sincerely,\nThomas Bell",
        tokens: 165,
        tolerance: 5,
    },
    Sample {
        name: "a technical note",
        text: "The scheduler keeps one queue for each priority and always takes the oldest job from the highest queue \
that is not empty. That is simple, and it starves: a steady stream of urgent jobs keeps everything else waiting \
forever. We therefore age the jobs. Every minute a job waits, its priority rises by one step, so that even the least \
important job is urgent after an hour. The price is a second index, ordered by the time of arrival, which costs us \
roughly forty bytes per waiting job. Measurements on last month's trace show that the longest wait fell from nine \
hours to seventy minutes, while the median of urgent jobs rose by less than three per cent.",
        tokens: 132,
        tolerance: 5,
    },
    Sample {
        name: "a question",
        text: "Two trains leave the same station at the same time, one heading north at 60 km/h, the other heading \
east at 80 km/h. After how many hours are they exactly 250 kilometres apart, and what would change if the second \
train started 30 minutes later? Explain each step.",
        tokens: 60,
        tolerance: 8,
    },
    Sample {
        name: "Rust",
        text: "/// Splits `line` into a key and a value at the first colon.\nfn split_header(line: &str) -> \
Option<(&str, &str)> {\n    let (name, value) = line.split_once(':')?;\n    if name.is_empty() || \
name.contains(char::is_whitespace) {\n        return None;\n    }\n    Some((name, value.trim()))\n}\n\nimpl Headers \
{\n    pub fn parse(input: &str) -> Result<Self, ParseError> {\n        let mut headers = Self::default();\n        \
for (number, line) in input.lines().enumerate() {\n            let (name, value) = \
split_header(line).ok_or(ParseError { line: number + 1 })?;\n            \
headers.entries.push((name.to_ascii_lowercase(), value.to_owned()));\n        }\n        Ok(headers)\n    }\n}\n",
        tokens: 173,
        tolerance: 15,
    },
    Sample {
        name: "Python",
        text: "import csv\nfrom collections import defaultdict\n\n\ndef monthly_totals(path, currency=\"EUR\"):\n    \
\"\"\"Sum all bookings of one currency by month.\"\"\"\n    totals = defaultdict(float)\n    with open(path, \
newline=\"\") as source:\n        for row in csv.DictReader(source, delimiter=\";\"):\n            if \
row[\"currency\"] != currency:\n                continue\n            month = row[\"date\"][:7]\n            \
totals[month] += float(row[\"amount\"].replace(\",\", \".\"))\n    return dict(sorted(totals.items()))\n\n\nif \
__name__ == \"__main__\":\n    for month, total in monthly_totals(\"bookings.csv\").items():\n        \
print(f\"{month}: {total:12.2f}\")\n",
        tokens: 144,
        tolerance: 15,
    },
    Sample {
        name: "JSON",
        text: "{\"order\":{\"id\":\"A-10442\",\"placed\":\"2026-03-14T09:26:53Z\",\"customer\":{\"name\":\"Mira \
Olsen\",\"email\":\"mira@example.org\",\"vip\":false},\"lines\":[{\"sku\":\"BK-2201\",\"title\":\"Walking in the \
Hebrides\",\"quantity\":1,\"price\":18.5},{\"sku\":\"MP-0093\",\"title\":\"Map, \
1:50000\",\"quantity\":2,\"price\":9.95}],\"shipping\":{\"method\":\"post\",\"cost\":4.2,\"address\":{\"street\":\"Kirke\
gata 12\",\"city\":\"Bergen\",\"country\":\"NO\"}},\"total\":42.6,\"paid\":true}}",
        tokens: 144,
        tolerance: 15,
    },
    Sample {
        name: "a JSON schema",
        text: "{\n  \"type\": \"object\",\n  \"properties\": {\n    \"city\": {\n      \"type\": \"string\",\n      \
\"description\": \"The city to look up, for example Lisbon\"\n    },\n    \"unit\": {\n      \"type\": \"string\",\n      \
\"enum\": [\"celsius\", \"fahrenheit\"]\n    },\n    \"days\": {\n      \"type\": \"integer\",\n      \"minimum\": 1,\n      \
\"maximum\": 14\n    }\n  },\n  \"required\": [\"city\"],\n  \"additionalProperties\": false\n}\n",
        tokens: 113,
        tolerance: 15,
    },
    Sample {
        name: "numbers",
        text: "year,orders,revenue,returns\n2019,18233,412093.50,512\n2020,24410,561220.75,733\n2021,31877,790412.10,\
1020\n2022,29054,701338.00,944\n2023,35120,888210.45,1187\n2024,40266,1032557.90,1301\n",
        tokens: 90,
        tolerance: 8,
    },
    Sample {
        name: "a list in Markdown",
        text: "# Before you travel\n\n- Check that your passport is valid for **six more months**.\n- Tell your bank \
where you are going.\n- Copy these numbers onto paper:\n  1. the embassy,\n  2. your insurance,\n  3. a friend at \
home.\n- Pack medicine for `days + 3`, not for the exact length of the trip.\n\nSee [the long list](list.md) for \
everything else.\n",
        tokens: 90,
        tolerance: 10,
    },
    Sample {
        name: "German",
        text: "Am Morgen nach dem Sturm lag der ganze Garten voller Äste. Großmutter stand schon in der Küche und \
kochte Kaffee, als wäre nichts geschehen. „Zuerst wird gefrühstückt“, sagte sie, „danach holen wir die Leiter aus dem \
Schuppen und sehen uns das Dach an.“ Mein Bruder wollte lieber gleich hinaus, denn er hatte am Zaun etwas Glänzendes \
entdeckt. Später stellte sich heraus, dass es nur ein Stück von der alten Dachrinne war. Trotzdem blieb dieser Tag \
uns allen im Gedächtnis, weil wir abends zum ersten Mal seit Jahren wieder gemeinsam am Tisch saßen.",
        tokens: 131,
        tolerance: 15,
    },
    Sample {
        name: "French",
        text: "Le marché ouvre à six heures, mais les premiers clients arrivent bien avant. Ils connaissent chaque \
marchand par son prénom et savent où trouver les meilleures pêches. Derrière l'église, une vieille dame vend des \
fleurs qu'elle cultive elle-même; elle ne parle presque jamais, et pourtant tout le monde s'arrête devant son étal. \
Quand il pleut, on se serre sous les bâches et l'on parle du temps, de la récolte et des élections.",
        tokens: 97,
        tolerance: 15,
    },
    Sample {
        name: "Russian",
        text: "Вечером мы вышли к реке. Вода стояла низко, и у самого берега виднелись камни, которые обычно скрыты \
до конца лета. Старый лодочник рассказывал, что сорок лет назад здесь можно было перейти на другую сторону пешком, не \
замочив колен. Никто ему не верил, но спорить не хотелось: было тихо, пахло сеном, и где-то далеко играла музыка.",
        tokens: 97,
        tolerance: 15,
    },
    Sample {
        name: "Chinese",
        text: "昨天下午我去图书馆还书，路上遇到了多年不见的老同学。他说自己刚从南方搬回来，在一家小公司做设计。我们在街角的茶馆坐了\
很久，谈起学校里的老师和那些早已改名的街道。临走的时候，他把新的电话号码写在一张纸上，说下个月一定要再见面。",
        tokens: 87,
        tolerance: 20,
    },
    Sample {
        name: "Japanese",
        text: "駅前の小さなパン屋は、朝の五時にはもう明かりがついている。店主は毎日同じ時間に窯に火を入れ、焼き上がりを待つあいだに新聞を読む。\
雨の日には客が少ないので、近所の子どもたちに余ったパンを分けてくれることもある。",
        tokens: 88,
        tolerance: 15,
    },
];

#[test]
fn samples_are_within_their_tolerance() {
    let mut failures = Vec::new();
    for sample in SAMPLES {
        let estimate = estimate_tokens(sample.text);
        let off = estimate.abs_diff(sample.tokens) * 100;
        if off > sample.tolerance * sample.tokens {
            failures.push(format!("{}: {estimate} for {}", sample.name, sample.tokens));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn half_of_the_samples_are_within_six_per_cent() {
    let close =
        |sample: &&Sample| estimate_tokens(sample.text).abs_diff(sample.tokens) * 100 <= 6 * sample.tokens;
    let within = SAMPLES.iter().filter(close).count();
    assert!(within * 2 >= SAMPLES.len(), "only {within} of {}", SAMPLES.len());
}

#[test]
fn no_text_is_no_token_and_any_text_is_one() {
    assert_eq!(estimate_tokens(""), 0);
    for short in ["a", " ", "\n", "7", "é", "中", "🙂", "\u{301}", "'"] {
        let estimate = estimate_tokens(short);
        assert!((1..=2).contains(&estimate), "{short:?}: {estimate}");
    }
}

#[test]
fn long_texts_count_like_their_parts() {
    // Long texts are read as two halves side by side; the seam may cost a token or two.
    for sample in SAMPLES {
        let one = estimate_tokens(sample.text);
        let many = estimate_tokens(&format!("{}\n", sample.text).repeat(40));
        assert!(many.abs_diff(one * 40) <= 40 * 2 + one, "{}: {many} for 40 × {one}", sample.name);
    }
}

#[test]
fn never_more_than_two_tokens_a_byte_or_fewer_than_none() {
    let all: String = (0..=0x10_FFFF_u32).step_by(37).filter_map(char::from_u32).collect();
    for text in [all.as_str(), "''''''''", "1 2 3 4 5 6 7 8 9", "aAaAaAaA", "ÀÀÀÀ", "A1A1A1"] {
        let estimate = estimate_tokens(text);
        assert!(estimate <= 2 * text.len() as u64, "{estimate} for {} bytes", text.len());
        assert!(estimate * 20 >= text.len() as u64 / 4, "{estimate} for {} bytes", text.len());
    }
}
