"""Texts of many kinds, to see which values a network's activations take and how far it is off.

Made from a seed, so that everybody calibrates with the same ones: prose of random words, scripts,
code, tables, emoji, control characters, noise, and what is hardest for int8, very short texts.
"""

from __future__ import annotations

import random

_WORDS = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "retrieval embedding vector daemon socket tokenizer unbelievable hyperparameter's re-entrant "
    "naïve café Zürich the of and to in is that for it with as was on are by this be from or an"
).split()

_SCRIPTS = (
    "今天天气很好，我们去公园散步吧。 机器学习模型把句子变成向量。",
    "機械学習モデルは文章をベクトルに変換します。 東京タワーへ行きました。",
    "한국어 문장도 제대로 처리되어야 합니다. 오늘은 날씨가 좋네요",
    "مرحبا بالعالم، هذا نص باللغة العربية. كيف حالك اليوم يا صديقي",
    "שלום עולם, זה משפט בעברית עם ניקוד: שָׁלוֹם מה שלומך היום",
    "नमस्ते दुनिया, यह हिंदी में एक वाक्य है। आज मौसम अच्छा है",
    "สวัสดีชาวโลก นี่คือประโยคภาษาไทย วันนี้อากาศดี",
    "Привет, мир! Ёжик в тумане ищет медвежонка. Сегодня хорошая погода.",
    "Ο Οδυσσέας έφτασε στην Ιθάκη. ΣΊΣΥΦΟΣ Καλημέρα κόσμε",
    "İstanbul'da ılık bir akşam, IĞDIR Tiếng Việt có nhiều dấu: ắ ằ ẳ ẵ ặ",
    "Հայերեն բարև աշխարհ, ქართული ენა გამარჯობა, አማርኛ ቋንቋ ሰላም",
    "বাংলা ভাষায় একটি বাক্য আজ আবহাওয়া ভালো தமிழ் மொழியில் ஒரு வாக்கியம்",
    "Größe, Straße, ẞ, œuvre, Łódź, ﬁn, Ⅷ, ½ smörgåsbord över ån",
)

_CODE = (
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; }",
    '{"name": "neuralcore", "limits": {"frame": 1048576, "ok": true}, "list": [1, 2.5e-3, null]}',
    "SELECT id, count(*) FROM t WHERE a <> 'x''y' GROUP BY 1 HAVING count(*) > 3;",
    "#!/bin/sh\nset -eu\ngrep -rn 'TODO' . | awk -F: '{print $1}' | sort | uniq -c\n",
    "| name | value |\n| --- | ---: |\n| a | 1.00 |\n| b | -2.50 |\n",
    "<div class='a'>&amp; <b>bold</b></div><!-- no -->",
    "\\begin{equation} \\frac{a}{b} = \\sum_{i=0}^{n} x_i^2 \\end{equation}",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org +49 (0)30 1234-567",
    "Traceback (most recent call last):\n  File \"a.py\", line 3\nKeyError: 'b'",
)

_ODD = (
    *(
        "",
        " ",
        "\n\t",
        "\x00",
        "a\x00b",
        "\ufffd",
        "zero\u200bwidth\u200djoiner",
        "soft\u00adhyphen",
    ),
    *(
        "\u202eright to left\u202c",
        "\ue000\uf8ff",
        "e\u0301 and \u00e9",
        "z\u0310\u0322a\u0334\u0300",
    ),
    *("😀", "😀😃😄😁", "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇩🇪 👍🏽", "𝒳 𝔘𝔫𝔦 𝟙𝟚𝟛", "ＦＵＬＬ　ｗｉｄｔｈ"),
    *("[CLS] [SEP] [MASK] [PAD] [UNK]", "[unused1] ##ing", "a", "Z", "7", ".", "!", "?", "中", "ß"),
    *("é", "ok", "the", "...", "?!?!?!", "-" * 300, "=" * 60, "a" * 99, "a" * 101, "a" * 5000),
    *(
        "1234567890" * 12,
        "3.14 2,718.28 -0 1e-9 0x1F",
        "]" * 400,
        "(([[{{<<" * 60,
        "机器学习" * 300,
    ),
)

_RANGES = (
    *((0x20, 0x80), (0x80, 0x250), (0x300, 0x370), (0x370, 0x600), (0x4E00, 0x9FFF)),
    *((0x2000, 0x2C00), (0x3040, 0x30FF), (0xAC00, 0xD7A3), (0xE000, 0xFFFF), (0x1F300, 0x1FAFF)),
)


def texts(seed: int = 20261122) -> list[str]:
    """About 400 texts of one to 256 tokens and more."""
    rng = random.Random(seed)
    found = [*_ODD, *_CODE, *_SCRIPTS]
    found += [_sentence(rng, words) for words in range(1, 61)]
    found += [" ".join(_sentence(rng, 20) for _ in range(n)) for n in range(2, 14)]
    for _ in range(40):
        script = rng.choice(_SCRIPTS).split() + rng.choice(_SCRIPTS).split()
        found.append(" ".join(rng.choices(script, k=rng.randrange(1, 30))))
        found.append(
            "".join(chr(rng.randrange(*rng.choice(_RANGES))) for _ in range(rng.randrange(1, 120)))
        )
        found.append(rng.randbytes(rng.randrange(4, 120)).hex())
        numbers = (f"{rng.uniform(-1e5, 1e5):.{rng.randrange(5)}f}" for _ in range(30))
        found.append(rng.choice([" ", ", ", "\n| "]).join(numbers))
        found.append("\n".join(rng.sample(_CODE, 2)))
    return list(dict.fromkeys(found))


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)).capitalize() + rng.choice([".", "!", "?", ""])
