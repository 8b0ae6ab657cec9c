"""Encrypted values: two kinds of key, and a clear error for each way to be wrong."""

import base64

import pytest
from cryptography.fernet import Fernet

from sessionkit.errors import ConfigurationError
from sessionkit.secrets import Secret, decrypt, encrypt, generate_key

# As generate_key() makes them, but the same in each of pytest's processes.
GENERATED, OTHER = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
KEYS = ["a passphrase", "ü", GENERATED]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["", "value", "pässwörd\n"])
def test_what_is_encrypted_is_decrypted(key, value):
    text = encrypt(value, key)
    assert decrypt(f" {text}\n", key) == value
    assert not value or value not in text
    assert encrypt(value, key) != text


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SESSIONKIT_KEY", "from the environment")
    assert decrypt(encrypt(Secret("value"))) == "value"
    assert decrypt(encrypt("value"), "from the environment") == "value"


def test_a_generated_key_makes_plain_fernet_tokens():
    key = generate_key()
    assert Fernet(key).decrypt(encrypt("value", key)) == b"value"


@pytest.mark.parametrize("key", [None, ""])
def test_a_missing_key_is_said_to_be_missing(monkeypatch, key):
    monkeypatch.delenv("SESSIONKIT_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="SESSIONKIT_KEY"):
        encrypt("value", key)
    with pytest.raises(ConfigurationError, match="SESSIONKIT_KEY"):
        decrypt("gAAAA", key)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("wrong", ["another passphrase", OTHER])
def test_another_key_is_a_clear_error(key, wrong):
    with pytest.raises(ConfigurationError) as caught:
        decrypt(encrypt("the-value", key), wrong)
    assert caught.value.hint
    assert "the-value" not in str(caught.value)
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "text",
    ["", "garbage", "scrypt:", "scrypt::", "scrypt:!:x", "scrypt:AAAA:x", "scrypt:ä:ö", "gAAAA\0", "日本"],
)
def test_garbage_is_a_clear_error(key, text):
    with pytest.raises(ConfigurationError):
        decrypt(text, key)


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_character_is_noticed(key):
    text = encrypt("value", key)
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    with pytest.raises(ConfigurationError):
        decrypt(changed, key)
