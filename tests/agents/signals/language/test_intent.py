import math

import pytest

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import understand

UNDERSTOOD = [
    # any text
    ("Can text be read at 10 s?", "reading", "whether"),
    ("Is a title on screen at 10 s?", "reading", "whether"),
    ("Does a caption come up?", "reading", "whether"),
    ("On how many occasions is the title shown?", "reading", "count"),
    # a text that is quoted
    ('When is the text "LAST FERRY 21:45" shown?', "text", "when"),
    ('When does "GATE 7 OPEN" appear for the first time?', "text", "when"),
    ("When does the caption 'BERTH 14' disappear?", "text", "when"),
    ("When do the words “Chrome fast.” start to appear?", "text", "when"),
    ('At what time is the sign "EXIT" seen?', "text", "when"),
    ('When does the sign say "OPEN"?', "text", "when"),
    ('How long is the text "TEA ROOM" shown?', "text", "how_long"),
    ('How many seconds is "OK" visible?', "text", "how_long"),
    ('How many times is the word "SALE" shown?', "text", "count"),
    ('Does the text "EXIT" appear in the video?', "text", "whether"),
    ('Where is the text "EXIT"?', "text", "where"),
    ('Find the text "EXIT" when it is shown.', "text", "when"),
    # a text that is read
    ("What is written in the upper left corner at 12 s?", "reading", "what"),
    ("What is written on the green button?", "reading", "what"),
    ("What time does the clock in the middle of the drawn top bar show?", "reading", "what"),
    ("Which file is selected in the file chooser?", "reading", "what"),
    ("Which word is typed into the search box near the end?", "reading", "what"),
    ("Which building behind the person does the finished compliment mention?", "reading", "what"),
    ("When do the first words of the compliment appear under the picture?", "reading", "when"),
    ("What does the sign say at 0:42?", "reading", "what"),
    # speech
    ('When is "hello" heard?', "speech", "when"),
    ("When is the word marble said?", "speech", "when"),
    ('Does anybody say "hello"?', "speech", "whether"),
    ('How many times is "seven" said?', "speech", "count"),
    ("What is said at 12 s?", "speech", "what"),
    ("What does she say in the first 20 seconds?", "speech", "what"),
    ("What is said about the harbour?", "speech", "what"),
    # codes
    ("What does the QR code say?", "code", "what"),
    ("When is a QR code shown?", "code", "when"),
    ("Is there a barcode in the video?", "code", "whether"),
    ("How many QR codes are shown?", "code", "count"),
    ("What is the content of the bar code at 22 s?", "code", "what"),
    # shots
    ("How many shots does the video have?", "shots", "count"),
    ("How many cuts are there between 10 s and 20 s?", "shots", "count"),
    ("When is the last cut?", "shots", "when"),
    ("When does the third shot begin?", "shots", "when"),
    ("List all scene changes.", "shots", "what"),
    # colours
    ("When is the screen red?", "colour", "when"),
    ("When does the screen turn green?", "colour", "when"),
    ("What colour fills the screen at 17 s?", "colour", "what"),
    ("How long is the screen red?", "colour", "how_long"),
    ("Is the picture ever completely black?", "colour", "whether"),
    ("How many times does the screen flash white?", "colour", "count"),
    # movement
    ("When does something move for the first time?", "motion", "when"),
    ("Where does something move?", "motion", "where"),
    ("Does anything move in the video?", "motion", "whether"),
    ("When does the movement stop?", "motion", "when"),
    ("When is the picture still?", "still", "when"),
    ("When does nothing move?", "still", "when"),
    ("When is there no movement?", "still", "when"),
    ("How long is the video frozen?", "still", "how_long"),
    ('Who says "hello"?', "speech", "who"),
    ("Who talks about the harbour?", "speech", "who"),
    ("Which speaker speaks first?", "speech", "who"),
]

BEYOND = [
    # things
    "How many people are in the video?",
    "How many red circles are in the picture?",
    "How many objects are on the table?",
    "What animal is shown?",
    "When does a dog appear?",
    "When is the car moving?",
    "When does a person move?",
    "When does the man stand still?",
    "When does the circle move?",
    "When does the camera move?",
    "What moves in the video?",
    "In which direction does something move?",
    "How often does something move?",
    "When is the red ball in the frame?",
    "What colour is the wall behind the man?",
    "What colour is the car on the screen?",
    "What kind of line marks the right edge of the lane the camera car drives in?",
    "When does the screen turn from red to blue?",
    "When is the screen not red?",
    "What is red on the screen?",
    # words with two meanings
    "How many shots does the player take?",
    "How many shots of tequila does he drink?",
    "When does the gunman fire shots?",
    "When does he cut the cake?",
    "When does the barber cut his hair?",
    "What is the dress code of the guests?",
    "Who wrote the code on the whiteboard?",
    "When does the dog run behind the picture frame?",
    # about shots, but not where they are
    "What happens in the last scene?",
    "Who is in the first shot?",
    "Which shot shows the boat?",
    "Is the door closed in the last shot?",
    "How long is the first shot?",
    # speech
    'To whom does he say "hello"?',
    "Who speaks the most?",
    "Who speaks English?",
    "Who is said to be guilty?",
    "Who speaks to the man?",
    "Who is the woman who says hello?",
    'When does the man say "hello"?',
    "What does the man say?",
    "What language is spoken?",
    "What is said after the door opens?",
    "How long does the speaker talk?",
    "Which word is spoken first?",
    "When does the girl write a letter?",
    # about a text, but not when it is shown
    'A key with the word "command" on it is shown. What does it turn into?',
    'A key with the word "command" is shown. What does this key turn into?',
    'What happens when the text "START" appears?',
    'What is to the left of the text "START"?',
    'What colour is the text "SALE"?',
    'Is the text "SALE" red?',
    'What number follows the word "GATE"?',
    'Who holds the sign "STOP"?',
    'What does the person do after "GO" is shown?',
    'When is the button "Start" clicked?',
    'When does the man who holds the sign "STOP" appear?',
    'Does the text "A" appear before the text "B"?',
    "Is the red screen shown before the QR code?",
    "What colour is the text on the screen?",
    "Does the sign mean stop?",
    "Is the price on the screen higher than 10?",
    "Why does the screen turn red?",
    # nothing of a signal
    "What happens at 0:42?",
    "When does the sun set?",
    "Is the text a quotation from the 20 seconds speech?",
]


@pytest.mark.parametrize(("question", "signal", "ask"), UNDERSTOOD)
def test_what_classical_vision_can_tell_is_understood(question, signal, ask):
    intent = understand(question)
    assert (intent.signal, intent.ask) == (signal, ask)


@pytest.mark.parametrize("question", BEYOND)
def test_what_it_cannot_tell_is_left_alone(question):
    assert understand(question).signal == "none"


@pytest.mark.parametrize(
    ("question", "at_s", "range_s", "window"),
    [
        ("What is written at 12 s?", 12.0, None, None),
        ("What is written at 0:42?", 42.0, None, None),
        ("What is written at 1:02:03.5?", 3723.5, None, None),
        ("What is written 3.5 seconds into the video?", 3.5, None, None),
        ("At second 7, what is written?", 7.0, None, None),
        ("At 0:42, what is written?", 42.0, None, None),
        ("When is the screen red between 10 and 20 seconds?", None, (10.0, 20.0), None),
        ("When is the screen red from 0:10 to 1:20?", None, (10.0, 80.0), None),
        ("When is the screen red after 30 s?", None, (30.0, math.inf), None),
        ("When is the screen red before 0:30?", None, (0.0, 30.0), None),
        ("How many cuts are there in the first 20 seconds?", None, (0.0, 20.0), None),
        ("What is written near the end?", None, None, (0.6, 1.0)),
        ("What is written at the end of the recording?", None, None, None),
        ("What is written at the beginning?", None, None, (0.0, 0.25)),
        ('When is "WAIT 5 s" shown?', None, None, None),
        ('When is "at 10:15" shown?', None, None, None),
    ],
)
def test_times_in_questions(question, at_s, range_s, window):
    intent = understand(question)
    assert (intent.at_s, intent.range_s, intent.window) == (at_s, range_s, window)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ('When is "A B" shown?', "A B"),
        ("When is 'it's here' shown?", "it's here"),
        ("When is «Ausgang» shown?", "Ausgang"),
        ("When does the title GATE 7 appear?", "GATE 7"),
        ('When is "" shown?', None),
        ("When is the man's hat shown?", None),
    ],
)
def test_quoted_texts(question, text):
    assert understand(question).text == text


@pytest.mark.parametrize(
    ("question", "edge", "order"),
    [
        ('When does "A" appear?', "start", "first"),
        ('Until when is "A" visible?', "end", "first"),
        ('When does "A" disappear?', "end", "first"),
        ('When is "A" no longer visible?', "end", "first"),
        ('When is "A" not shown any more?', "end", "first"),
        ('When does "A" appear near the end?', "start", "first"),
        ('When is "THE END" shown?', "start", "first"),
        ('When is "A" shown for the last time?', "start", "last"),
        ('When is "A" shown each time?', "start", "every"),
    ],
)
def test_edges_and_orders(question, edge, order):
    intent = understand(question)
    assert (intent.signal, intent.edge, intent.order) == ("text", edge, order)


@pytest.mark.parametrize(
    ("sentence", "signal"),
    [
        (wording.ANY_TEXT, "reading"),
        (wording.HIGHLIGHTED, "reading"),
        (wording.on_background("grey"), "reading"),
        (wording.ANY_CODE, "code"),
        (wording.QR_CODES, "code"),
        (wording.claim_code("who says 'hello'?", 3), "code"),
        (wording.ANY_CUT, "shots"),
        (wording.claim_cut(3), "shots"),
        (wording.ANY_MOTION, "motion"),
        (wording.STILL, "still"),
        (wording.FILL, "colour"),
        (wording.is_filled("red"), "colour"),
        (wording.claim_fill("red", 3), "colour"),
        (wording.is_shown('say "hello" to 5 cats'), "text"),
        (wording.claim_text('the man says "QR code"', 3), "text"),
    ],
)
def test_the_planners_own_sentences_are_understood(sentence, signal):
    assert understand(sentence).signal == signal


def test_a_text_with_quotation_marks_stays_whole():
    assert understand(wording.is_shown('a "b" «c» d')).text == "a 'b' 'c' d"


@pytest.mark.parametrize(
    ("question", "signal"),
    [
        ("When is the fish market mentioned?", "speech"),
        ("Does she ever mention garlic?", "speech"),
        ("Does Firefox get mentioned on screen?", "text"),
        ("Which building does the finished compliment mention?", "reading"),
    ],
)
def test_what_is_mentioned_is_said_unless_something_shows_it(question, signal):
    assert understand(question).signal == signal
