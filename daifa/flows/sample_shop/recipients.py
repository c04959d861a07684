"""Recipients for order files that hold none: invented people at invented streets, the same for the same customer.

Names, streets and house numbers are drawn from the lists below by a seeded hash, so nobody real is meant; towns and the
shape of postcodes are real, so that an address looks and checks like one of its country. Mail ends in
`example.invalid`, which no mail server can have; phone numbers are from ranges reserved for fiction, or left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from daifa.connectors.contract import Address
from daifa.flows.sample_shop.seed import between, choice, digits, share


class Place(NamedTuple):
    """How addresses of a country are made. In patterns `#` is a digit, `@` a letter postcodes may have."""

    first: str
    last: str
    streets: str
    line1: str  # {street}, {number}
    towns: str  # town|region|postcode pattern, separated by ;
    phone: str = ""


_EN_FIRST = "Alice Ben Clara Daniel Edith Frank Grace Harold Iris Jack Kate Leonard Mabel Nathan Olive Peter Ruth Simon Tessa Walter"
_EN_LAST = "Ashdown Birkett Colgrave Dunmore Everleigh Fairholt Garside Hartwell Inglewood Kellaway Lorrimer Marlow Netherby Oakden Pemberly Quillan Rowntry Stanmoor Thornaby Wexcombe"
_EN_STREETS = "Larkspur Row;Tanner's Yard;Copperbeech Lane;Millrace Walk;Lantern Street;Orchard Bank;Weaver's Close;Foxglove Avenue;Harbour Steps;Chandler's Court"
_DE_FIRST = "Anke Bernd Clara Dieter Elke Friedrich Greta Holger Inga Jonas Karla Lutz Maren Nils Otto Petra Rolf Silke Tilman Ute"
_DE_LAST = "Ahlbrecht Brandhofer Dornseif Eschenbach Felderer Grünholz Hagedorn Immenroth Kaltwasser Lindhorst Mühlbeck Nordhausen Osterkamp Rabenau Steinfurt Tannhof Uhlenbrock Wiesental"
_DE_STREETS = "Lerchenweg;Am Kupferteich;Holunderstraße;Alte Färbergasse;Laternenallee;Zum Mühlbach;Fuchsbau;Obstgartenweg"
_FR_FIRST = "Adèle Bastien Camille Didier Élise Florent Gaëlle Hugo Inès Julien Laure Mathieu Noémie Olivier Pauline Rémi Sylvie Thierry"
_FR_LAST = "Auberlin Bellerive Chantclair Delamare Fontanel Grandpré Hauteville Jolivert Lavigny Montclar Noirval Orvault Perrignac Rochebrune Saintclair Valombre"
_FR_STREETS = "rue des Lanternes;allée du Verger;chemin des Tisserands;impasse du Moulin;rue du Cuivre;avenue des Digitales"
_NL_FIRST = (
    "Anouk Bram Daan Els Fleur Gijs Hanneke Ivo Jasper Koen Lotte Maarten Noor Pim Roos Sanne Teun Wouter"
)
_NL_LAST = "van Achterveld Boterman van den Dijkgraaf Ekelmans Graafland Hoogerwaard Klaverland Lindeboom Molenkamp Oosterwijk Rietveldt Schaapman Tulpenberg Veldhof"
_NL_STREETS = "Lantaarnkade;Weversgang;Koperslagerslaan;Molenbeek;Boomgaardpad;Vingerhoedstraat"
_ES_FIRST = "Alba Bruno Carmen Diego Elena Fermín Gloria Hugo Irene Javier Lucía Marcos Nuria Óscar Pilar Rubén Sara Tomás"
_ES_LAST = "Almendros Belmonte Carrascal Dehesa Encinares Fontanilla Granadal Huerta Lobera Montesa Navarral Olivares Peñalba Robledo Salcedo Valdeverde"
_ES_STREETS = "Calle del Farol;Calle de los Tejedores;Paseo del Huerto;Calle del Molino;Calle del Cobre;Avenida de la Dedalera"
_IT_FIRST = "Anna Bruno Chiara Davide Elisa Fabio Giulia Ivo Lidia Marco Nadia Pietro Rita Silvio Teresa Ugo"
_IT_LAST = "Albanese Bellosguardo Castelverde Dellorto Fontebuona Granarolo Lanterni Montalbo Nocentini Olmetto Pratofiorito Roccabella Selvatici Tessitore Valdolmo"
_IT_STREETS = "via delle Lanterne;via dei Tessitori;vicolo del Mulino;viale del Frutteto;via del Rame"
_PT_FIRST = "Ana Bruno Catarina Duarte Eva Filipe Graça Hugo Inês João Leonor Miguel Nuno Paula Rita Tiago"
_PT_LAST = "Alvorada Belmar Carvalhal Fontainhas Granjeiro Lameira Moinhos Oliveirinha Pedrosa Ribeirinho Salgueiral Valverde"
_PT_STREETS = "Rua das Lanternas;Rua dos Tecelões;Travessa do Moinho;Rua do Pomar;Rua do Cobre"
_NORDIC_FIRST = (
    "Astrid Bjørn Cecilie Dag Elin Fredrik Gunhild Henrik Ingrid Jens Kari Lars Marit Nils Oda Per Ragna Sven"
)
_NORDIC_LAST = "Almvik Bergelund Dalstrøm Eklöf Fjellheim Granlund Havnes Kvernmo Lindahlen Møllevang Nordqvist Rosenäng Skogmark Tangeraas Vesterby"
_JA_FIRST = "Akari Daiki Emi Haruto Kaede Makoto Nao Ren Sakura Takumi Yui Yuto"
_JA_LAST = "Akagawa Fujimori Hanamura Ishibashi Kitazawa Minamoto Nishizaka Okabayashi Sugimori Takenaka Umehara Yamanobe"
_WORLD_FIRST = "Amina Boris Celia Dario Elif Farid Gita Hanan Ilan Jana Karim Lena Milan Nadia Omar Petra Rafi Samira Tarik Yasmin"
_WORLD_LAST = "Adeloro Bahadori Castellan Darwishi Elmorad Farahani Goldwin Haddadeen Ismarov Karamis Lazaridou Mendozas Nassirian Okonjola Petrovas Rahmanis Santorel Tavorian"
_WORLD_STREETS = "Lantern Street;Weavers Road;Orchard Avenue;Mill Lane;Copper Street;Harbour Road"

PLACES: dict[str, Place] = {
    "GB": Place(_EN_FIRST, _EN_LAST, _EN_STREETS, "{number} {street}",
                "Leeds|West Yorkshire|LS# #@@;Bristol||BS# #@@;Norwich|Norfolk|NR# #@@;Exeter|Devon|EX# #@@;York||YO## #@@;"
                "Nottingham||NG# #@@;Cardiff||CF1# #@@;Edinburgh||EH# #@@;Brighton|East Sussex|BN# #@@;Lancaster|Lancashire|LA# #@@",
                "07700 900###"),
    "IE": Place(_EN_FIRST, "Ardmore Ballinroe Carrigdun Dunleary Ennisfree Finnerty Glenoran Kilbracken Lisnagry Moynalty Rathcoole Tullyvin",
                _EN_STREETS, "{number} {street}", "Dublin|Dublin|D0# @2#@;Cork|Cork|T12 @2#@;Galway|Galway|H91 @2#@;Limerick|Limerick|V94 @2#@"),
    "DE": Place(_DE_FIRST, _DE_LAST, _DE_STREETS, "{street} {number}",
                "Hamburg||22###;Leipzig||04###;Köln||50###;Freiburg||79###;Bremen||28###;Nürnberg||90###"),
    "FR": Place(_FR_FIRST, _FR_LAST, _FR_STREETS, "{number} {street}",
                "Lyon||6900#;Nantes||44###;Toulouse||31###;Rennes||35###;Lille||59###;Grenoble||38###"),
    "NL": Place(_NL_FIRST, _NL_LAST, _NL_STREETS, "{street} {number}", "Utrecht||35## @@;Groningen||97## @@;Haarlem||20## @@;Breda||48## @@"),
    "BE": Place(_FR_FIRST, _NL_LAST, _NL_STREETS, "{street} {number}", "Gent||9000;Antwerpen||2018;Liège||4020;Namur||5000"),
    "ES": Place(_ES_FIRST, _ES_LAST, _ES_STREETS, "{street} {number}", "Valencia|Valencia|46###;Sevilla|Sevilla|41###;Bilbao|Vizcaya|48###;Zaragoza|Zaragoza|50###"),
    "IT": Place(_IT_FIRST, _IT_LAST, _IT_STREETS, "{street} {number}", "Bologna|BO|401##;Torino|TO|101##;Verona|VR|371##;Parma|PR|431##"),
    "PT": Place(_PT_FIRST, _PT_LAST, _PT_STREETS, "{street} {number}", "Porto||4000-###;Coimbra||3000-###;Braga||4700-###"),
    "CH": Place(_DE_FIRST, _DE_LAST, _DE_STREETS, "{street} {number}", "Zürich||80##;Bern||30##;Basel||40##;Luzern||60##"),
    "AT": Place(_DE_FIRST, _DE_LAST, _DE_STREETS, "{street} {number}", "Graz||80##;Linz||40##;Salzburg||50##;Innsbruck||60##"),
    "SE": Place(_NORDIC_FIRST, _NORDIC_LAST, "Lyktgatan;Vävarstigen;Kvarnvägen;Äppelgatan", "{street} {number}", "Uppsala||75# ##;Göteborg||41# ##;Umeå||90# ##"),
    "DK": Place(_NORDIC_FIRST, _NORDIC_LAST, "Lygtevej;Vævergade;Møllestien;Æblevej", "{street} {number}", "Aarhus||8000;Odense||5000;Aalborg||9000"),
    "NO": Place(_NORDIC_FIRST, _NORDIC_LAST, "Lyktveien;Vevergata;Kvernveien;Eplehagen", "{street} {number}", "Bergen||50##;Trondheim||70##;Stavanger||40##"),
    "FI": Place(_NORDIC_FIRST, _NORDIC_LAST, "Lyhtykatu;Kutojantie;Myllypolku;Omenatie", "{street} {number}", "Tampere||33###;Turku||20###;Oulu||90###"),
    "IS": Place(_NORDIC_FIRST, _NORDIC_LAST, "Luktargata;Vefarastígur;Myllugata", "{street} {number}", "Reykjavík||10#;Akureyri||600"),
    "PL": Place("Anna Bartosz Celina Dawid Ewa Filip Hanna Igor Jagoda Kamil Lidia Marek", "Brzozowiak Dąbrowiecki Grabowiak Jaworek Klonowski Leszczyna Olszański Wierzbowiak",
                "ul. Latarniana;ul. Tkacka;ul. Młyńska;ul. Sadowa", "{street} {number}", "Kraków||30-###;Wrocław||50-###;Gdańsk||80-###"),
    "GR": Place(_WORLD_FIRST, _WORLD_LAST, "Odos Fanarion;Odos Yfanton;Odos Mylou", "{street} {number}", "Athina||10# ##;Thessaloniki||54# ##;Patra||26# ##"),
    "CY": Place(_WORLD_FIRST, _WORLD_LAST, "Odos Fanarion;Odos Yfanton;Odos Mylou", "{street} {number}", "Nicosia||10##;Limassol||30##;Larnaca||60##"),
    "MT": Place(_WORLD_FIRST, _WORLD_LAST, "Triq il-Fanal;Triq il-Mitħna", "{number} {street}", "Valletta||VLT 1###;Sliema||SLM 1###"),
    "LT": Place(_WORLD_FIRST, _WORLD_LAST, "Žibintų g.;Audėjų g.;Malūno g.", "{street} {number}", "Vilnius||0####;Kaunas||44###"),
    "JP": Place(_JA_FIRST, _JA_LAST, "Chome-Lantern;Chome-Orchard;Chome-Mill", "{number} {street}", "Sapporo|Hokkaido|060-00##;Kyoto|Kyoto|600-80##;Fukuoka|Fukuoka|810-00##"),
    "AU": Place(_EN_FIRST, _EN_LAST, _EN_STREETS, "{number} {street}", "Hobart|TAS|7000;Adelaide|SA|5000;Ballarat|VIC|3350;Newcastle|NSW|2300"),
    "US": Place(_EN_FIRST, _EN_LAST, _EN_STREETS, "{number} {street}", "Madison|WI|537##;Portland|OR|972##;Asheville|NC|288##;Burlington|VT|0540#", "(555) 010-0###"),
    "CA": Place(_EN_FIRST, _EN_LAST, _EN_STREETS, "{number} {street}", "Halifax|NS|B3H #H#;Victoria|BC|V8V #K#;Guelph|ON|N1G #L#"),
    "ZA": Place(_EN_FIRST, _EN_LAST, _EN_STREETS, "{number} {street}", "Cape Town||8001;Durban||4001;Pretoria||0002"),
    "AE": Place(_WORLD_FIRST, _WORLD_LAST, _WORLD_STREETS, "{number} {street}", "Dubai|Dubai|;Abu Dhabi|Abu Dhabi|"),
    "SG": Place(_WORLD_FIRST, _WORLD_LAST, _WORLD_STREETS, "{number} {street}", "Singapore||0489##;Singapore||2388##"),
    "HK": Place(_WORLD_FIRST, _WORLD_LAST, _WORLD_STREETS, "{number} {street}", "Wan Chai|Hong Kong|;Sha Tin|New Territories|"),
    "BR": Place(_PT_FIRST, _PT_LAST, _PT_STREETS, "{street} {number}", "Curitiba|PR|80010-###;Recife|PE|50010-###"),
    "KR": Place(_JA_FIRST, _JA_LAST, "Deungbul-ro;Gwasuwon-gil", "{number} {street}", "Busan|Busan|48###;Daegu|Daegu|41###"),
}  # fmt: skip
_ELSEWHERE = Place(
    _WORLD_FIRST, _WORLD_LAST, _WORLD_STREETS, "{number} {street}", "Central District||;Old Town||"
)
_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # those a British postcode may end in


def recipient_for(customer_ref: str, number: str, country: str) -> Address:
    """Who gets the parcel: stable per customer, per order number where no customer is given.

    `country` is ISO 3166 alpha-2; where it is "" nobody can say where to, and the address has no country either: such
    orders stay held as `buyer_data_missing`.
    """
    return _recipient(f"customer {customer_ref}" if customer_ref else f"order {number}", country)


@lru_cache(maxsize=20_000)
def _recipient(key: str, country: str) -> Address:
    place = PLACES.get(country, _ELSEWHERE)
    first = choice(place.first.split(), key, "first")
    last = choice(_lasts(place.last), key, "last")
    town, region, postcode = choice(place.towns.split(";"), key, "town").split("|")
    street = choice(place.streets.split(";"), key, "street")
    name = f"{last} {first}" if country in ("JP", "KR") else f"{first} {last}"
    flat = f"Flat {between(1, 12, key, 'flat')}" if country == "GB" and share(key, "flat?") < 0.15 else ""
    return Address(
        name=name,
        line1=place.line1.format(number=between(1, 148, key, "house"), street=street),
        line2=flat,
        city=town,
        region=region,
        postcode=_filled(postcode, key, "postcode"),
        country=country,
        phone=_filled(place.phone, key, "phone"),
        email=f"{_plain(first)}.{_plain(last)}.{digits(4, key, 'mail')}@example.invalid",
    )


@lru_cache(maxsize=64)
def _lasts(text: str) -> list[str]:
    """Surnames; a small word belongs to the one that follows it ("van den Dijkgraaf")."""
    return re.findall(r"(?:[a-z]\w* )*\w+", text)


def _filled(pattern: str, *names: object) -> str:
    out = []
    for at, sign in enumerate(pattern):
        if sign == "#":
            out.append(digits(1, *names, at))
        elif sign == "@":
            out.append(choice(_LETTERS, *names, at))
        else:
            out.append(sign)
    return "".join(out)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name.replace("ø", "o").replace("ß", "ss"))
    return re.sub(r"[^a-z]", "", text.encode("ascii", "ignore").decode().lower())
