"""How quickly texts are screened for restricted words: `python -m bench.words --texts 100000`.

Titles and descriptions put together from the sample shop's goods and Chinese phrases, one in ten with a word of the lists, about
200 characters each. All three lists (words, goods, brands) are matched; the automaton is built before the clock starts, and how
long that took is told. No database. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")

PHRASES = (
    "厨房收纳架 不锈钢 多功能", "家用置物架 双层免打孔", "复古风格 适合送礼", "Women's summer dress with pockets", "陶瓷茶杯 手工釉面 350ml", "ceramic mug, dishwasher safe",
    "纯棉四件套 亲肤透气", "儿童书桌可升降", "LED desk lamp, warm white", "旅行收纳袋 防水 大容量", "heart-shaped wall hook, set of 4", "７５％棉 免烫 衬衫",
    "下单后 48 小时内发货", "支持七天无理由退货", "Free of BPA", "尺寸：30×20×10 cm", "garden party bunting 3 m", "加厚防滑 静音耐磨",
)  # fmt: skip
LENGTH = 200


def made(count: int) -> list[str]:
    """The texts, the same each time."""
    from daifa.domain.policy import words

    chance = random.Random(1)
    terms = [term.term for term in words.shipped().terms]
    texts = []
    for number in range(count):
        parts = []
        while sum(map(len, parts)) < LENGTH:
            parts.append(chance.choice(PHRASES))
        if number % 10 == 0:
            parts.insert(chance.randrange(len(parts)), terms[number // 10 % len(terms)])
        texts.append("，".join(parts))
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.words", description="Screen texts for restricted words.")
    parser.add_argument("--texts", type=int, default=100_000)
    given = parser.parse_args()
    import django

    django.setup()
    from daifa.domain.policy import words

    began = time.perf_counter()
    screen = words.shipped_screen(("terms", "categories", "brands"))
    built = time.perf_counter() - began
    texts = made(given.texts)
    wall, cpu = time.perf_counter(), time.process_time()
    hits = screen.hits(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        json.dumps(
            {
                "bench": "words", "texts": len(texts), "characters": sum(map(len, texts)), "words": len(words.shipped().terms),
                "texts_with_hits": sum(map(bool, hits)), "build_s": round(built, 3), "wall_s": round(wall, 3), "cpu_s": round(cpu, 3),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
