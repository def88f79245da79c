from skylobe.core.pages import write_section


def test_a_section_is_added_then_replaced_and_the_rest_is_left_alone(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("# Results\n\nWritten by hand.\n")
    write_section(path, "one", "first")
    write_section(path, "two", "second")
    text = path.read_text()
    assert text.startswith("# Results\n\nWritten by hand.\n\n")
    write_section(path, "one", "third")
    assert path.read_text() == text.replace("first", "third")
    write_section(path, "one", "first")
    assert path.read_text() == text


def test_a_missing_file_is_made(tmp_path):
    path = write_section(tmp_path / "new.md", "one", "text")
    assert path.read_text().count("text") == 1
