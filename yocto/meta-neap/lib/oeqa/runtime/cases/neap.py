"""Checks neap in a running image: TEST_SUITES:append = " neap" """

from oeqa.core.decorator.depends import OETestDepends
from oeqa.runtime.case import OERuntimeTestCase
from oeqa.runtime.decorator.package import OEHasPackage


class NeapTest(OERuntimeTestCase):

    def tell(self, command):
        status, output = self.target.run(command)
        self.assertEqual(status, 0, msg="%s: %s" % (command, output))
        return output

    @OETestDepends(["ssh.SSHTest.test_ssh"])
    @OEHasPackage(["neap", "neap-bin"])
    def test_neap_configuration(self):
        self.tell("neap check --quiet")

    @OETestDepends(["neap.NeapTest.test_neap_configuration"])
    def test_neap_runs(self):
        self.assertIn("ok", self.tell("wget -q -O - http://127.0.0.1:8643/healthz"))

    @OETestDepends(["neap.NeapTest.test_neap_runs"])
    def test_neap_is_small(self):
        resident = int(self.tell("awk '/^VmRSS/ { print $2 }' /proc/$(pidof neap)/status"))
        self.assertLessEqual(resident, 8192, msg="%d KiB resident at rest" % resident)

    @OETestDepends(["neap.NeapTest.test_neap_runs"])
    def test_neap_comes_back(self):
        before = self.tell("pidof neap")
        self.tell("kill -SEGV %s" % before)
        after = self.tell("for i in 1 2 3 4 5 6 7 8 9; do sleep 1; pidof neap && exit 0; done; exit 1")
        self.assertNotEqual(before, after.split()[-1])

    @OETestDepends(["neap.NeapTest.test_neap_runs"])
    def test_neap_listens_on_loopback_only(self):
        # 8642 and 8643 are 21C2 and 21C3; an address of zeros is every interface.
        status, output = self.target.run("grep -E ' 0+:(21C2|21C3) ' /proc/net/tcp /proc/net/tcp6")
        self.assertNotEqual(status, 0, msg=output)
