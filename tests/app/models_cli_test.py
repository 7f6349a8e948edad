"""notso pull, models, rm and doctor as a person uses them, against a local server.

usage: models_cli_test.py NOTSO FAULT_SERVER
"""
import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

NOTSO, SERVER = sys.argv[1:3]
LIMIT_S = 120


class Server:
    def __init__(self, content):
        self.process = subprocess.Popen(
            [sys.executable, "-B", SERVER, content], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.root = "http://127.0.0.1:" + self.process.stdout.readline().decode().strip()

    def ask(self, path):
        with urllib.request.urlopen(self.root + path) as answer:
            return json.load(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class ModelsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.scratch.name, "tiny.gguf")
        subprocess.run([NOTSO, "synth", cls.model, "--size", "tiny"], check=True,
                       capture_output=True)
        cls.server = Server(cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.scratch.cleanup()

    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        self.environment.update(NOTSO_HOME=self.home.name, HF_ENDPOINT=self.server.root,
                                NO_PROXY="*")

    def notso(self, *arguments, **environment):
        return subprocess.run([NOTSO, *arguments], env={**self.environment, **environment},
                              capture_output=True, text=True, timeout=LIMIT_S)

    def path(self, name):
        return os.path.join(self.home.name, "models", name)

    def test_pull_fetches_checks_and_describes_a_model(self):
        run = self.notso("pull", "hf:hub/repo/My Tiny.gguf".replace(" ", "-"))
        self.assertEqual((run.returncode, run.stderr.splitlines()[0]),
                         (0, "My-Tiny.gguf  asking the server"))
        self.assertIn("100%", run.stderr)
        self.assertNotIn("\x1b", run.stderr)
        self.assertIn("as it should be", run.stdout)
        self.assertIn("Q4_K_M, 65536 tokens", run.stdout)
        with open(self.path("My-Tiny.gguf"), "rb") as got, open(self.model, "rb") as sent:
            self.assertEqual(got.read(), sent.read())
        again = self.notso("pull", "hf:hub/repo/My-Tiny.gguf")
        self.assertIn("is here already", again.stdout)

    def test_pull_checks_what_is_here_already(self):
        url = self.server.root + "/plain/here.gguf"
        self.assertEqual(self.notso("pull", url).returncode, 0)
        with open(self.model, "rb") as model:
            sha = hashlib.sha256(model.read()).hexdigest()
        right = self.notso("pull", url, "--sha256", sha.upper())
        self.assertEqual((right.returncode, right.stderr), (0, ""))
        wrong = self.notso("pull", url, "--sha256", "0" * 64)
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("has the SHA-256 " + sha, wrong.stderr)
        self.assertIn("--force", wrong.stderr)
        self.assertEqual(self.notso("pull", url, "--sha256", "none").returncode, 1)
        with open(self.path("here.gguf"), "r+b") as here:
            here.truncate(1000)
        cut = self.notso("pull", url)
        self.assertEqual(cut.returncode, 1)
        self.assertIn("--force", cut.stderr)
        self.assertEqual(self.notso("pull", url, "--force").returncode, 0)

    def test_pull_shows_a_bar_on_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(NOTSO, [NOTSO, "pull", self.server.root + "/slow/x.gguf?ms=30"],
                      self.environment)
        text = b""
        while select.select([terminal], [], [], LIMIT_S)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, text)
        self.assertIn(b"[########", text)
        self.assertIn(b" left", text)
        os.close(terminal)

    def test_pull_goes_on_after_kill_9_and_after_ctrl_c(self):
        url = self.server.root + "/slow/k.gguf?ms=200"
        before = self.server.ask("/bytes")
        for end in (signal.SIGKILL, signal.SIGINT):
            process = subprocess.Popen([NOTSO, "pull", url], env=self.environment,
                                       stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
            while b"%" not in (line := process.stderr.readline()):
                self.assertTrue(line, "it has ended")
            if end == signal.SIGKILL:
                self.wait_for(lambda: os.path.exists(self.path("k.gguf.part.state")))
            process.send_signal(end)
            error = process.communicate(timeout=LIMIT_S)[1]
            self.assertFalse(os.path.exists(self.path("k.gguf")))
            if end == signal.SIGINT:
                self.assertIn(b"goes on where it stopped", error)
                self.assertEqual(process.returncode, 1)
        listed = json.loads(self.notso("models", "--json").stdout)
        self.assertEqual([part["name"] for part in listed["unfinished"]], ["k.gguf"])
        self.assertEqual(self.notso("pull", url.replace("slow", "plain")).returncode, 0)
        size = os.path.getsize(self.model)
        self.assertLess(self.server.ask("/bytes") - before, 2 * size)

    def wait_for(self, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_pull_takes_nothing_that_is_no_model(self):
        run = self.notso("pull", self.server.root + "/html/x.gguf")
        self.assertEqual(run.returncode, 1)
        self.assertEqual(os.listdir(os.path.join(self.home.name, "models")), [])

    def test_pull_names_the_mend_for_each_failure(self):
        run = self.notso("pull", "Q9")
        self.assertEqual(run.returncode, 1)
        self.assertIn("take one of Q4_K_M, ", run.stderr)
        run = self.notso("pull", "hf:token/repo/x.gguf", HF_TOKEN="wrong")
        self.assertIn("HF_TOKEN may not read", run.stderr)
        run = self.notso("pull", "hf:token/repo/x.gguf", HF_TOKEN="secret")
        self.assertEqual(run.returncode, 0)
        run = self.notso("pull", self.server.root + "/plain/y.gguf", "--sha256", "0" * 64)
        self.assertIn("thrown away", run.stderr)
        run = self.notso("pull", NOTSO_HOME="/proc/nothing")
        self.assertIn("set NOTSO_HOME", run.stderr)
        self.assertEqual(self.notso("pull", "--connections", "99").returncode, 2)

    def test_models_lists_and_rm_removes(self):
        self.assertIn("'notso pull' downloads", self.notso("models").stdout)
        self.notso("pull", self.server.root + "/plain/a.gguf")
        with open(self.path("bad.gguf"), "w") as bad:
            bad.write("no model")
        text = self.notso("models").stdout
        self.assertRegex(text, r"a\.gguf +4\.\d\d MB +Q4_K_M +65536 +\d+\.\d\d MB +never")
        self.assertIn("cannot be used: ", text)
        self.assertEqual(self.notso("models", "--names").stdout.split(), ["bad.gguf", "a.gguf"])
        kept = os.path.join(self.home.name, "prefixes", "a")
        os.makedirs(kept)
        self.assertIn("are free again", self.notso("rm", "a", "bad").stdout)
        self.assertFalse(os.path.exists(kept))
        self.assertEqual(self.notso("models", "--names").stdout, "")
        gone = self.notso("rm", "a")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no model 'a'", gone.stderr)

    def test_chat_and_generate_take_the_downloaded_model(self):
        generate = ["generate", "--prompt", "Hello", "--max-tokens", "2"]
        demo = self.notso(*generate)
        self.assertEqual(demo.returncode, 0, demo.stderr)
        self.assertIn("the built-in demo; 'notso pull' downloads", demo.stderr)
        self.notso("pull", self.server.root + "/plain/a.gguf")
        for wish in ([], ["-m", "a"], ["-m", "Q4_K_M"], ["-m", self.path("a.gguf")]):
            self.assertEqual(self.notso(*generate, *wish).returncode, 0, wish)
        self.assertEqual(self.notso(*generate, MODEL_PATH="/none.gguf").returncode, 1)
        listed = json.loads(self.notso("models", "--json").stdout)["models"]
        self.assertIsNotNone(listed[0]["last_used"])

    def test_a_broken_model_is_passed_over_and_said(self):
        generate = ["generate", "--prompt", "Hello", "--max-tokens", "2"]
        os.makedirs(os.path.dirname(self.path("bad.gguf")))
        with open(self.path("bad.gguf"), "w") as bad:
            bad.write("no model")
        run = self.notso(*generate)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("notso: passed over: ", run.stderr)
        self.assertIn("bad.gguf", run.stderr)
        self.assertIn("there is no usable model on this machine", run.stderr)
        self.assertNotIn("no model on this machine yet", run.stderr)

    def test_rm_leaves_the_current_folder_alone(self):
        os.makedirs(os.path.dirname(self.path("x.gguf.part")))
        with open(self.path("tiny.gguf.part"), "w") as part:
            part.write("half")
        run = subprocess.run([NOTSO, "rm", "tiny.gguf"], env=self.environment, text=True,
                             capture_output=True, timeout=LIMIT_S, cwd=self.scratch.name)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(os.path.exists(self.model))
        self.assertFalse(os.path.exists(self.path("tiny.gguf.part")))

    def test_bench_takes_a_model_of_the_folder_by_its_name(self):
        self.notso("pull", self.server.root + "/plain/a.gguf")
        run = self.notso("bench", "-m", "a", "--prompt", "4", "--gen", "2", "--depth", "0",
                         "--batch", "1", "--repetitions", "1", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_secrets_in_addresses_are_not_shown(self):
        secret = {"HF_ENDPOINT": self.server.root.replace("://", "://anna:geheim@")}
        for run in (self.notso("pull", "Q8_0", **secret), self.notso("doctor", **secret),
                    self.notso("pull", self.server.root + "/gone/x.gguf?signature=geheim"),
                    self.notso("pull", self.server.root + "/plain/x.gguf?signature=geheim",
                               "--sha256", "0" * 64)):
            self.assertNotIn("geheim", run.stdout + run.stderr)
            self.assertIn("127.0.0.1", run.stdout + run.stderr)

    def test_doctor_says_what_is_there_and_what_to_mend(self):
        report = json.loads(self.notso("doctor", "--json").stdout)
        self.assertTrue(report["ok"])
        subjects = [finding["subject"] for finding in report["findings"]]
        for wanted in ("program", "processor", "kernels", "bandwidth", "memory", "models folder",
                       "cache folder", "hub", "port", "GPU", "open files"):
            self.assertIn(wanted, subjects)
        # What is not good has a mend.
        for finding in report["findings"]:
            self.assertTrue(finding["level"] == "good" or finding["mend"], finding)

    def test_doctor_fails_where_nothing_can_work(self):
        run = self.notso("doctor", NOTSO_CPU="abacus")
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stdout, r"BAD +kernels .*abacus")
        self.assertIn("-> unset NOTSO_CPU", run.stdout)

    def test_doctor_and_chat_go_by_the_settings(self):
        with open(os.path.join(self.home.name, "config.toml"), "w", encoding="utf-8") as file:
            file.write('[server]\nport = 45679\n[model]\npath = "nosuch"\n')
        run = self.notso("doctor")
        self.assertEqual(run.returncode, 1)
        self.assertIn("127.0.0.1:45679", run.stdout)
        self.assertRegex(run.stdout, r"BAD +model.path .*'nosuch'")
        run = self.notso("generate", "--prompt", "x")
        self.assertEqual(run.returncode, 1)
        self.assertIn("there is no model 'nosuch'", run.stderr)

    def test_doctor_sees_a_port_in_use(self):
        port = self.server.root.rsplit(":", 1)[1]
        run = self.notso("doctor", "--port", port)
        self.assertRegex(run.stdout, r"note +port .*Address already in use")

    def test_version_tells_how_it_was_built(self):
        text = self.notso("--version").stdout
        self.assertRegex(text, r"\Anotso \d+\.\d+\.\d+")
        for word in ("g++", "kernels:", "(in use)", "libcurl/", "OpenSSL/", "Boost"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
