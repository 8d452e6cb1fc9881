"""mmarn bench: every case is there, once per type, with figures that hang together."""

from mmarn_command import Case, main, run


class Bench(Case):
    def test_json(self):
        process = run("bench", "--quick", "--dtype", "bf16", "--json")
        self.assert_exit(process, 0)
        report = self.json_of(process)
        self.assertIs(report["ok"], True)
        self.assertGreater(report["peak_gflops"], 0)
        self.assertGreater(report["read_gbs"], 0)
        cases = [(case["case"], case["ranks"], case["rows"], case["k"], case["n"]) for case in report["cases"]]
        self.assertEqual(
            cases,
            [
                ("prefill", 1, 512, 1024, 8192),
                ("prefill", 2, 512, 1024, 8192),
                ("prefill", 8, 512, 256, 8192),
                ("decode", 2, 1, 2048, 4096),
                ("decode", 2, 4, 2048, 4096),
            ],
        )
        for case in report["cases"]:
            self.assertEqual(case["dtype"], "bf16")
            self.assertIs(case["bits_equal"], True)
            self.assertGreaterEqual(case["repeat"], 3)
            weights = case["ranks"] * case["k"] * case["n"]
            seconds = case["time_ms"] * 1e-3
            self.assertAlmostEqual(case["gflops"] * seconds * 1e9 / (2 * case["rows"] * weights), 1, places=4)
            self.assertAlmostEqual(case["weights_gbs"] * seconds * 1e9 / (2 * weights), 1, places=4)
            if case["case"] == "decode":
                self.assertGreaterEqual(case["operators"] * weights * 2, 128 << 20)
            else:
                self.assertEqual(case["operators"], 1)


if __name__ == "__main__":
    main()
