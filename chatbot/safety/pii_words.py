"""Words that stand where a name could but are none, for names without a capital or a title.

Written by hand from what customers say after "i am", "this is" and a closing. Words that are
first names as well ("may", "mark", "rose", "will") are left out: the context must tell.
"""

from __future__ import annotations

import re
from typing import Final

CAPITAL: Final = (  # a letter that is no small one, of any script
    r"[^\W\d_a-zß-öø-ÿāăąćčďēęěėğģīįıķļłńņňőœřśšşșťțţůűūųźżž]"
)
_SAID: Final = """
ai bot spare a an the this that these those my your our his her its their some any no not none all
both each every another other such own same one two three four five six seven eight nine ten first
second third last next i me we us you he him she it they them who whom whose what which when where
why how there here and or but so as if than then because while until since though although unless
also too either neither in on at by for from to of off out up down over under into onto with without
within about above across after against along around before behind below beside between beyond
during except inside near outside past per through toward towards via like unlike instead am is are
was were be been being do does did done have has had having can could shall should would might must
ought let get got go goes went gone come came take took taken give gave given make made keep kept
say said see saw seen know knew think thought want need try use find found tell told ask asked call
feel felt leave left put mean begin seem help show turn start run move live happen send sent pay
paid buy bought sell sold lose lost wait stop wear wore break broke broken hear heard read write
wrote written bring brought hold held stand stood meet met set sit spend spent reach stay speak
spoke rang rung worth hurt very really quite rather pretty fairly just only even still yet already
again once twice always never ever often sometimes now today tomorrow yesterday tonight soon later
ago almost nearly enough much many more most less least few little lot lots bit well maybe perhaps
please sorry afraid unable able unsure sure certain aware unaware due back away home abroad alone
happy unhappy sad glad angry upset mad furious livid fed sick tired ill busy free full empty ready
late early new old good bad great big small best worst better worse right wrong true false fine okay
ok nice lovely awful terrible horrible poor cheap sharp dear real fake total totally whole half
double single extra main pure simple plain clear clever stuck stupid silly daft crazy insane
ridiculous rubbish useless pathetic absurd unfair fair shocking utter sheer shocked confused curious
keen grateful thankful hopeful proud worried concerned vegan vegetarian pregnant diabetic disabled
deaf blind allergic retired english british french german dutch irish scottish welsh polish spanish
italian swedish american european morning afternoon evening night day days week weeks month months
year years hour hours minute minutes time monday tuesday wednesday thursday friday saturday sunday
january february april july september october november december christmas easter summer winter
spring autumn holiday birthday weekend people person man woman guy lady guys folks everyone
everybody someone somebody anyone anybody nobody kid kids child children baby family husband wife
partner son daughter mother mum mom father dad brother sister friend neighbour neighbor colleague
boss mate team staff support service customer customers client buyer seller owner member user users
guest tenant student teacher nurse driver courier carrier manager agent assistant admin reception
receptionist accountant company shop store warehouse website site page app web email mail message
chat phone number code name names address account login password order orders parcel package box
item items product products delivery shipment shipping tracking return returns refund refunds
exchange replacement invoice receipt payment card bank money price cost charge discount voucher
coupon gift sale stock size sizes colour color colours quality question questions problem problems
issue issues error mistake thing things stuff way ways part parts case matter reason answer reply
advice info information complaint feedback review rating warranty guarantee policy terms contract
subscription plan trial deal offer fraud theft scam robbery joke nonsense nightmare disgrace
shambles farce pity shame value waste daylight attempt chance place road street house flat door
floor town city country world water wine beer coffee tea food bread milk sugar salt lunch dinner
breakfast glass steel oak pine leather cotton wool wood wooden metal plastic ceramic paper fabric
silk linen chair table sofa bed lamp desk shelf shoe shoes boot boots coat jacket shirt dress
trousers bag tent stove kettle pan pot knife cup plate monitor tv screen laptop computer battery
charger cable adapter machine device model version kit pack pair piece pieces speaker soundbar
fridge washer dryer oven urgent urgently asap important possible impossible available unavailable
different similar typical usual normal standard common special regular actual current recent former
long-standing loyal correct incorrect misspelt misspelled spelt spelled missing hidden public
private local foreign anonymous unknown known seriously honestly simply basically actually literally
thanks thank thx cheers regards bye goodbye hello hi hey wishes kind warm warmest appreciated
greetings advance sincerely faithfully truly yours love iphone android samsung dispatch reference
ref id nr tel mob mobile fax date subject re fw vat billing general head office sales department
line details notes note attn attention contact strictly confidential larkmoor und oder ist nicht die
der das ein eine et le la les un une est pas y el los es e il non che het een niet och inte det nie
jest na von mit avec con med dank danke merci gracias grazie bedankt tack bitte adresse anschrift
lieferadresse rechnungsadresse straße livraison commande bestellung factuur rechnung root au revoir
tot ziens tschüss adieu adios adiós minus plus bone mvh mvg lg vg vlg mfg cdt cdlt groetjes groeten
saludos saluti cordialement pozdrawiam hälsningar hilsen gruß grüße ltd limited gmbh bv inc llc plc
bonne bon bien très buen buena buenas buenos buona buono fijne fijn prettige prettig schönen schöne
schönes gute guten gutes alles alle hasta luego ciao trevlig miłego dobrego boa bom top marks gluten
lactose intolerant journée tag dag giornata día
"""
_ADJECTIVES: Final = """
black white green brown grey gray blue red pink yellow orange dark light bright short long young
high low hard soft hot cold warm cool dry wet strong weak quick slow deep wide clean fresh raw north
south east west left central royal business industrial trading retail delivery postal
"""
_ENDING_BUT_A_NAME: Final = """
kelly emily sally molly polly lily billy holly milly carly beverly kimberly shelly nelly wally
connolly kennelly reilly donnelly mohamed muhammed mohammed ahmed alfred wilfred manfred mildred
winifred jared fred syed reed creed irving harding golding browning king ming keating schilling
dowling ding downing starling vining fleming manning
"""
_OF: Final = "van von de der den del della di da dos la le las los"
_COMMON: Final = frozenset(_SAID.split())
_NO_FIRST_NAME: Final = frozenset(_ADJECTIVES.split())
_NAMES_WITH_ENDING: Final = frozenset(_ENDING_BUT_A_NAME.split())
_PARTICLES: Final = frozenset(_OF.split())
_ENDING: Final = re.compile(
    r"\w{2,}(?:ing|ful|ous|able|ible|less|ness|tion|sion|ment|n't)\Z|\w{3,}(?:ed|ly)\Z"
)
_INITIAL: Final = re.compile(r"\w\.")
_CONTRACTED: Final = re.compile(
    r"(?:i|it|that|this|here|there|we|you|they|what|he|she|let)'\w{1,3}\Z"
)


def may_be_a_name(words: str) -> bool:
    """Whether none of the words is one that customers say; without a capital, none looks so.

    >>> may_be_a_name("ilse brandt"), may_be_a_name("very annoyed")
    (True, False)
    """
    said = words.lower().replace("’", "'").split()
    if not said or (len(said) > 1 and said[0] in _NO_FIRST_NAME):
        return False
    low = words.islower()
    return not any(
        (
            not _INITIAL.fullmatch(word)
            and word.strip(".") in _COMMON
            and (position == 0 or word not in _PARTICLES)
        )
        or _CONTRACTED.match(word)
        or (low and _ENDING.match(word) and word not in _NAMES_WITH_ENDING)
        for position, word in enumerate(said)
    )
