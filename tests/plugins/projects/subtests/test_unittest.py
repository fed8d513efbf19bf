import unittest


class TestOldStyle(unittest.TestCase):
    def test_numbers(self):
        for number in range(4):
            with self.subTest("even", number=number):
                self.assertEqual(number % 2, 0)

    def test_skip(self):
        with self.subTest(why="skip"):
            self.skipTest("not now")

    def test_fine(self):
        with self.subTest():
            self.assertTrue(True)
