"""Texts to measure and to compare with: varied, none repeated, the same with the same Python.

Prose and code come from Python's own documentation and library, the rest is made from a seed.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import pydoc_data.topics
import random
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

# Twelve scripts and some more; each line is plain running text.
SCRIPTS = {
    "latin": "Größe und Straße, naïve café, Łódź leży nad Łódką, l'œuvre déjà vue, mañana será otro día",
    "cyrillic": "Все люди рождаются свободными и равными в своём достоинстве и правах, ёжик идёт в туман",
    "greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα",
    "arabic": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا",
    "hebrew": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם וכולם חוננו בתבונה ובמצפון",
    "devanagari": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है",
    "bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে",
    "tamil": "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர் அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள்",
    "thai": "มนุษย์ ทั้งหลาย เกิดมา มีอิสระ และ เสมอภาค กัน ใน เกียรติศักดิ์ และ สิทธิ",
    "han": "人人 生而 自由 在 尊严 和 权利 上 一律 平等 他们 赋有 理性 和 良心 并 应以 兄弟 关系 的 精神 相对待",
    "kana": "すべての 人間は 生まれながらにして 自由であり かつ 尊厳と 権利とについて 平等である コンピューター",
    "hangul": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다",
    "armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով",
    "georgian": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით",
    "ethiopic": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው",
}

EMOJI = "😀 😃 😂 🤖 🚀 🔥 ❤️ 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵 ✅ ❌ ⚠️ 🧠 📈 🎉 🐍 ☕".split()

WHITE_SPACE = [
    "",
    " ",
    "\n",
    "\t\t",
    " \t\r\n ",
    "\u00a0",
    "\u3000\u2003",
    "\u200b",
    "\u2028\u2029",
    " " * 3000,
]

ODD = [
    "a", "I", "7", ".", "?", "中", "ß", "É", "ok", "the", "...", "?!?!?!", "-" * 400, "=" * 80, "a" * 99, "a" * 100,
    "a" * 101, "x" * 6000, "1234567890" * 30, "[CLS] [SEP] [MASK] [PAD] [UNK]", "in[MASK]side[SEP]", "##ing ##s",
    "]" * 500, "([{<" * 90, "\ufeffmark", "\ufffd", "e\u0301 \u00e9 \u0301", "\u202eright\u202c", "\ue000\uf8ff",
    "z\u0310\u0322a\u0334\u0300l\u0337\u0301g\u0335o\u0336", "ＦＵＬＬ　ｗｉｄｔｈ", "𝒳 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "½ ² Ⅷ ﬁ ẞ",
]  # fmt: skip

LANGUAGES = [
    "def {a}({b}: int) -> int:\n    return {b} ** 2 if {b} else {a}(1)\n",
    "for (int i = 0; i < {a}.length; i++) {{ {b} += {a}[i] * {b}; }}",
    "SELECT {a}, count(*) FROM {b} WHERE {a} <> 'x''y' GROUP BY 1 HAVING count(*) > 3;",
    'fn {a}() {{ println!("{{:?}}", vec![{b}; 4]); }}',
    "public record {a}(int {b}, List<String> {a}s) implements Comparable<{a}> {{}}",
    "#!/bin/sh\nset -eu\ngrep -rn '{a}' . | awk -F: '{{print $1}}' | sort | uniq -c # {b}\n",
    "<div class='{a}'>&amp; <b>{b}</b></div><!-- no -->",
    "\\begin{{equation}} \\frac{{{a}}}{{{b}}} = \\sum_{{i=0}}^n x_i^2 \\end{{equation}}",
    "Traceback (most recent call last):\n  File \"{a}.py\", line 12, in {b}\nKeyError: '{a}'",
]

_Make = Callable[[random.Random], str]


def prose() -> list[str]:
    """Paragraphs of Python's language reference, in its order."""
    found: list[str] = []
    for topic in sorted(pydoc_data.topics.topics):
        for block in re.split(r"\n\s*\n", pydoc_data.topics.topics[topic]):
            paragraph = " ".join(block.split())
            if len(paragraph) >= 40 and not paragraph.startswith(("*", "=", ">>>", "|", "+-")):
                found.append(paragraph)
    return list(dict.fromkeys(found))


def sentences() -> list[str]:
    """Sentences of the prose of four words and more."""
    parts = (s for p in prose() for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", p))
    return list(dict.fromkeys(s for s in parts if len(s.split()) >= 4))


def code() -> list[str]:
    """Pieces of up to forty lines of Python's library."""
    pieces: list[str] = []
    for name in (
        "argparse.py",
        "ast.py",
        "asyncio/base_events.py",
        "dataclasses.py",
        "json/decoder.py",
        "logging/__init__.py",
    ):
        lines = (Path(random.__file__).parent / name).read_text().splitlines()
        pieces += ["\n".join(lines[i : i + 3 + i % 37]) for i in range(0, len(lines), 41)]
    return list(dict.fromkeys(pieces))


def varied(count: int = 2400, seed: int = 1) -> list[str]:
    """Texts of all kinds, shuffled: prose, code, tables, scripts, emoji, control characters, white space, 50,000 words."""
    rng = random.Random(seed)
    words = sorted({w for p in prose()[:2000] for w in re.findall(r"[A-Za-z]{2,}", p)})
    paragraphs, single, pieces = prose(), sentences(), code()
    rng.shuffle(paragraphs)
    rng.shuffle(single)
    texts = WHITE_SPACE + ODD
    texts += [
        " ".join(rng.choices(words, k=50_000)),
        "\n".join(single)[:300_000],
        "语言模型" * 3000,
    ]
    texts += single[: count * 3 // 10] + paragraphs[: count // 8] + pieces[: count // 12]
    texts += [" ".join(rng.choices(words, k=n)) for n in range(1, count // 20)]
    makers: list[_Make] = [
        lambda r: _script(r), lambda r: _script(r), lambda r: _script(r), lambda r: _emoji(r, words), lambda r: _noise(r),
        lambda r: _table(r, words), lambda r: _numbers(r), lambda r: _controls(r, words), lambda r: _language(r, words),
        lambda r: _opaque(r),
    ]  # fmt: skip
    texts = list(dict.fromkeys(texts))
    known = set(texts)
    while len(texts) < count:
        text = makers[len(texts) % len(makers)](rng)
        if text not in known:
            known.add(text)
            texts.append(text)
    rng.shuffle(texts)
    return texts


def _script(rng: random.Random) -> str:
    chosen = rng.sample(sorted(SCRIPTS), 2 if rng.random() < 0.2 else 1)
    words = [w for name in chosen for w in SCRIPTS[name].split()]
    return " ".join(rng.choices(words, k=rng.randrange(1, 40))) + rng.choice(
        ["", ".", "!", "。", "؟", "।"]
    )


def _emoji(rng: random.Random, words: list[str]) -> str:
    return " ".join(
        rng.choice(EMOJI if rng.random() < 0.5 else words) for _ in range(rng.randrange(1, 20))
    )


def _noise(rng: random.Random) -> str:
    ranges = [
        (1, 0x80),
        (0x80, 0x250),
        (0x300, 0x370),
        (0x370, 0x600),
        (0x4E00, 0x9FFF),
        (0x2000, 0x2C00),
        (0x1F300, 0x1FAFF),
        (0xE000, 0xFFFF),
    ]
    return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randrange(1, 150)))


def _table(rng: random.Random, words: list[str]) -> str:
    head = rng.sample(words, rng.randrange(2, 6))
    rows = [
        [
            rng.choice(
                [rng.choice(words), f"{rng.uniform(-1e4, 1e4):.2f}", str(rng.randrange(10**6)), ""]
            )
            for _ in head
        ]
        for _ in range(rng.randrange(1, 12))
    ]
    form = rng.randrange(3)
    if form == 0:
        return "\n".join("| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows])
    if form == 1:
        out = io.StringIO()
        csv.writer(out).writerows([head, *rows])
        return out.getvalue()
    return json.dumps(
        [dict(zip(head, row, strict=True)) for row in rows], indent=rng.choice([None, 2])
    )


def _numbers(rng: random.Random) -> str:
    return rng.choice([" ", ", ", "\n"]).join(
        f"{rng.uniform(-1, 1) * 10 ** rng.randrange(-6, 12):.{rng.randrange(6)}f}"
        for _ in range(rng.randrange(1, 60))
    )


def _controls(rng: random.Random, words: list[str]) -> str:
    odd = "\x00\x01\x07\x08\x1b\x7f\x85\u00ad\u200d\u2060\ufeff\u202e\n\t\r"
    return "".join(
        rng.choice(words) + rng.choice(odd) * rng.randrange(1, 4)
        for _ in range(rng.randrange(1, 30))
    )


def _language(rng: random.Random, words: list[str]) -> str:
    lines = [
        rng.choice(LANGUAGES).format(a=rng.choice(words), b=rng.choice(words))
        for _ in range(rng.randrange(1, 5))
    ]
    return "\n".join(lines)


def _opaque(rng: random.Random) -> str:
    data = rng.randbytes(rng.randrange(4, 150))
    host = "".join(rng.choices("abcdefghij", k=8))
    return rng.choice(
        [
            data.hex(),
            base64.b64encode(data).decode(),
            f"https://{host}.example/{data.hex()[:40]}?q=%20&n={len(data)}#top",
            textwrap.fill(data.hex(), 40),
        ]
    )
