"""Each kind of personal data in the ways and layouts that customers use, and what looks like it."""

from __future__ import annotations

import re

import pytest

from chatbot.safety.pii import PII, find_entities

ORDER_IDS = (r"\bLM[- ]?\d{7}\b",)
MARKED = re.compile(r"\[\[(.+?)\]\]", re.S)

ADDRESSES = """
we moved to [[14 Juniper Way, Stirling FK9 4QT, Scotland]] last week
please post to [[Lindenallee 9, 04103 Leipzig, Deutschland]].
[[8 rue des Carmes, 44000 Nantes, France]] s'il vous plaît
[[Via Garibaldi 7, 16124 Genova (GE), Italia]]
[[Viale Monza 112, scala B, interno 14, 20127 Milano]]
[[Avda. de la Constitución 4, 2º dcha., 41004 Sevilla, España]]
[[os. Zielone 14/22, 31-970 Kraków, Polska]]
[[al. Niepodległości 88 lok. 5, 02-626 Warszawa]]
[[Rosenvägen 3 lgh 1101, SE-412 51 Göteborg, Sverige]]
[[Nørregade 14, 2. th, 5000 Odense C, Danmark]]
[[Wiesenweg 4, 1. OG rechts, 6020 Innsbruck, Österreich]]
[[Gartenstraße 17, Hinterhaus, D-10115 Berlin]]
graag naar [[Rheinpad 12b, 6811 CX Arnhem, Nederland]]
[[Meerstraat 9 bus 3, 9000 Gent, België]]
[[Résidence Beaulieu, Bât. A, 3 allée des Tilleuls, 35200 Rennes]] svp
[[Second Floor, 9 Mill Lane, Derby DE1 2AB]]
[[Flat 9, Weavers Court, 4 Dye House Yard, Leeds LS2 7PQ]]
Send to [[Honeysuckle Cottage, Church Lane, Ludlow SY8 2BB]] please
[[flat 2, 9 cedar drive, truro tr1 2ab]] is right
[[lindenstr. 5, 50674 köln]] bitte
Postal address:⏎[[The Granary⏎2 Fold Yard⏎Skipton⏎BD23 1AB⏎England]]
[[Rua das Flores 22, 3.º Esq., 4050-262 Porto, Portugal]]
[[Mannerheimintie 12 B 34, 00100 Helsinki, Finland]]
[[Bahnhofstrasse 21, CH-8001 Zürich, Schweiz]]
[[Fő utca 3, 1011 Budapest]]
[[Rue Haute 77, 1000 Bruxelles, Belgique]]
[[Lange Kerkstraat 106-2, 3512 PN Utrecht]]
"""
NAMES = """
[[Ottilie Brandmeier]] here - any news?
Hallo, [[Jonas Reinholt]], die Lampe fehlt.
i am [[petra vosloo]] and my parcel is gone
hi, this is [[dario melchiorre]], nothing came
my name is [[lena]] and i bought a rug
guest checkout under the name [[piet van dam]]
name [[kirsty auld]], still waiting
Change my surname from [[Halvorsen]] to [[Tveit]] please
signed by “[[B. Quenneville]]” again
ist angekommen. mfg [[torsten]]
Merci d'avance⏎Cdt, [[Solène Baudry]]
llegó bien. saludos, [[inés]]
dank je! groetjes [[Marijke]]
Czekam. Pozdrawiam [[Bożena Kulik]]
Tack! Mvh [[Gustav]]
cheers, [[dominic farrow]]
Left with Nachbar [[Özdemir]] im Haus
Please write [[Ida Falk]] c/o reception on it
Sehr geehrter Herr [[Quandt]], danke
Guten Tag, Frau Dr. [[Bellmann]], anbei das Foto
Geachte mevrouw [[Terpstra]], bedankt
Recipient is [[Anton Weiss-Marek]]. Delivery note is wrong.
[[Marit Solheim]]⏎tel 0113 496 0644
It never came.⏎⏎[[Rosalind Achterberg]]
delivered to a Mr. [[J. P. Holloway]]
my new surname is [[Tveit]]
ich bin die Tochter von [[Hannelore Dietz]]
I spoke to [[Petronella]] from your returns team
Your letter called me [[Francis]]. It's [[Frances]], please fix it
Come to the side door and ask for [[Tadhg]] or [[Nyokabi]].
De wasmachine lekt, bel aan en vraag naar [[Geertruida]]
Suonate al terzo piano e chiedete di [[Ermenegilda]].
ring [[Siphokazi]] on 0161 496 0122 when you are near
Mijn man is thuis, hij heet [[Wubbo]].
Neues Konto, Inhaberin [[Friederike Altmannsberger]]
graag terugstorten t.n.v. [[K. van der Laan-Smit]]
La factura va a nombre de [[Saturnino Arrabal]].
My wife [[Oyelaran]] ordered it and my son [[Caspar]], nine, wears it
Mi vecina [[Encarnación]] firmó la entrega
Minha irmã, [[Jandira]], não recebeu nada
Nobody answered all week. [[R. T. Winstanley]]
"""
OTHERS = """
email: write to [[mira.koss [at] example.org]] please
email: [[jean point roux arobase exemple point fr]]
email: [[anna punkt k at beispiel punkt de]]
email: [[luca chiocciola esempio punto it]]
phone: zadzwońcie po 18, [[512 330 418]]
phone: llámame al [[622 41 07 93]]
phone: bel me terug op [[06 2134 5567]]
phone: [[0471 23 45 67]] klopt niet
phone: [[555-0161]] is now my work number
national_id: registre national [[85.07.30-033.61]] svp
national_id: [[KX-60-37-14-B]] is on the form
national_id: Rodné číslo [[855130/1234]]
national_id: DNI [[41.730.586-F]]
secret: my password was [[Elm-Tree77]] until Monday
secret: I use [[Harbour_91]] as password everywhere
secret: pw [[Lantern4411]] no longer works
secret: mein Passwort lautet [[Regen!Bogen2]]
secret: my password for your site is [[Quartz!9]]
secret: the PIN on the card is [[4471]]
secret: le code reçu par SMS est [[482913]]
secret: Bestätigungscode: [[118822]]
secret: login: mkeller / [[Sommer2031!]]
secret: Password – [[Winter4031!]]
secret: our api token is [[a8f5f167f44f4964e6c998dee827110c]]
secret: secret: [[9f8b7c6d5e4f3a2b1c0d]]
secret: [[0cc175b9c0f1b6a831c399e269772661]] is refused, although I copied it
order_id: what I mean is order [[48213]]
order_id: Zamówienie [[5530127]] przyszło bez śrubek
postcode: Salve, il CAP [[50136]] non viene accettato dal modulo
postcode: Kod pocztowy mam [[31-562]], a nie inny
postcode: wij wonen in [[6828 HK]]
national_id: They want my Social Security number here and I do not like that at all: [[531-40-7719]]
secret: I typed my password into a page that was not yours. It was [[Nougat!Canoe_58]].
secret: The token you sent returns 401: [[tok_4Kd8sLqWzE6uYb9vR]]. It worked at noon.
secret: the three digits on the back are [[417]], try again
secret: my pin for the locker is [[8830]] and it says wrong
secret: You wanted the code from the text, it's [[550718]]
secret: the account password used to be [[puffin82]], then nothing worked
secret: mi clave era [[Saltamontes_4]] y no entra
secret: Rotated it, the new one is [[tok-77c03d58f24e91ab]]
secret: Please revoke [[hook_live_7yT3nK9wQe21Lm]], it is in a public repo
"""
NONE = """
Model 3, 1200 Watt, Farbe Grau
Two lamps, 3 Oak Tables, Leeds store please
the Berlin Lamp 2, 10000 Lumen is dim
The Old Forge range is nice
i am very upset and i want my money
i am gluten intolerant, is it ok
i'm a student and i pay
this is daylight robbery, refund me
hi, this is urgent please, call
thanks, much appreciated
danke, alles klar
no signal. lg tv
I bought it.⏎⏎Blue Oak Table
my name is spelt wrong
Change the name from billing to delivery
look at example dot com
meet at the point at ten
my password is wrong
I set it as my password manager
the code in the mail is 20% off
Artikel 060 12 34 56 78
model 131052-308T
can I order 12345 of those
do I have to order 2000 for the discount
ask for a refund if it leaks
ring me on 3 December please
My mother loves it and my son Is happy
My wife uses it daily, my brother Just laughed
the cap 2000 ml bottle leaks
the bottle cap, size 10234 in your list, is missing
my password fails. It was fine in 2024.
the password page wants 12 characters, is that right
I changed the pin, it works since 2024
the code on my boots says TN3 25
set_size_to_XL_2024_please is what your form shows
the tent was on sale in 2023 IT said
"""


def found(text: str) -> set[tuple[str, str]]:
    return {(e.label, e.text) for e in find_entities(text, ORDER_IDS) if e.label in PII}


def value(text: str, label: str) -> str | None:
    return next(e.value for e in find_entities(text) if e.label == label)


def rows(table: str) -> list[str]:
    return [row.replace("⏎", "\n") for row in table.strip().splitlines()]


@pytest.mark.parametrize("row", rows(ADDRESSES))
def test_an_address_is_found_from_its_door_to_its_country(row: str) -> None:
    text = MARKED.sub(r"\1", row)
    assert found(text) == {("address", span) for span in MARKED.findall(row)}


@pytest.mark.parametrize("row", rows(NAMES))
def test_a_name_is_found_without_its_title_and_up_to_its_end(row: str) -> None:
    names = {span for label, span in found(MARKED.sub(r"\1", row)) if label == "person_name"}
    assert names == set(MARKED.findall(row))


@pytest.mark.parametrize("row", rows(OTHERS))
def test_an_email_a_phone_an_id_and_a_secret_are_found_as_they_are_said(row: str) -> None:
    label, _, said = row.partition(": ")
    shown = said[said.index("[[") + 2 : said.rindex("]]")]
    assert found(said.replace("[[", "").replace("]]", "")) == {(label, shown)}


@pytest.mark.parametrize("text", rows(NONE))
def test_what_customers_say_in_the_same_places_is_nobodys_data(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("Met vriendelijke groet, Joost van den Berg", "person_name", "Joost van den Berg"),
        ("It is my sister's account, Paula Ndiaye", "person_name", "Paula Ndiaye"),
        ("Cheers,\nAoife Brennan", "person_name", "Aoife Brennan"),
        ("Hi Marguerite, your label is ready", "person_name", "Marguerite"),
        ("card holder: Ines Machado", "person_name", "Ines Machado"),
        ("handed to R. Pemberton", "person_name", "R. Pemberton"),
        ("send it to 7 Kelso Wynd, Perth PH1 5UN", "address", "7 Kelso Wynd, Perth PH1 5UN"),
        (
            "12 Birch Road, Apt 4, Denver, CO 80202",
            "address",
            "12 Birch Road, Apt 4, Denver, CO 80202",
        ),
        ("al. Jana Pawła 3/7, 80-462 Gdańsk", "address", "al. Jana Pawła 3/7, 80-462 Gdańsk"),
        ("Storgatan 11, 111 23 Stockholm", "address", "Storgatan 11, 111 23 Stockholm"),
        ("my fødselsnummer is 010190 12345", "national_id", "010190 12345"),
        ("AVS: 756.9217.0769.85", "national_id", "756.9217.0769.85"),
        ("hasło Kot#4417zx nie działa", "secret", "Kot#4417zx"),
        ("pw: riverbed_88", "secret", "riverbed_88"),
        ("a minha carta é 4539.5787.6362.1486", "card", "4539.5787.6362.1486"),
    ],
)
def test_each_way_to_give_personal_data_is_found(text: str, label: str, expected: str) -> None:
    assert (label, expected) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hi Team, the poles arrived",
        "Hello Larkmoor, any news?",
        "I'm Not Happy about this",
        "Thanks,\nStill waiting",
        "the password reset link 404s every time",
        "our dog's name is Biscuit",
        "10 Trail Running shoes, size 9",
        "my customer number is 7781 022",
        "Waist 94-100, hips 98-104",
        "10 Is there parking in the yard?",
        "the 10 Mile Walk in the guide",
        "Temperature range -10 to 45, EN 13537 comfort 2",
        "Registered to EN 343:2019, UPF 50, 5V/2A",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == set()


def test_an_address_after_the_word_password_is_an_email_not_a_secret() -> None:
    text = "can you send a new password to t.moura@example.org"
    assert found(text) == {("email", "t.moura@example.org")}
    assert found("my password is river_88!") == {("secret", "river_88!")}


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("on 3rd of March 2025", "date", "2025-03-03"),
        ("on 12/02/2025", "date", "2025-02-12"),
        ("on 2025-02-12", "date", "2025-02-12"),
        ("am 4. Oktober", "date", "--10-04"),
        ("paid £1,234.50", "money", "123450 GBP"),
        ("1.249,00 € bitte", "money", "124900 EUR"),
        ("it cost 20 quid", "money", "2000 GBP"),
        ("ring 07911 123456", "phone", "+447911123456"),
        ("ring +1 (212) 555-0187", "phone", "+12125550187"),
    ],
)
def test_values_are_normalised(text: str, label: str, expected: str) -> None:
    assert value(text, label) == expected
