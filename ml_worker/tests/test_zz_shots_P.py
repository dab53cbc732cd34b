import sys; sys.path.insert(0,"/work/main")
from pathlib import Path
import pytest
from ml_worker.tests.test_manage_browser import desk, storage
from ml_worker.tests import made_pages
from ml_worker.models import *
from playwright.sync_api import expect
from ml_worker.tests.conftest import admin
pytestmark=[pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OUT=Path("/tmp/shotsP"); OUT.mkdir(exist_ok=True)
def shoot(page,name):
    for width,h in ((1280,800),(390,844)):
        for scheme in ("light","dark"):
            page.set_viewport_size({"width":width,"height":h}); page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(500)
            page.screenshot(path=str(OUT/f"{name}-{width}-{scheme}.png"),full_page=True)
            wide=page.evaluate("document.documentElement.scrollWidth")
            if wide>width: print(name,width,"is wide",wide)
def test_pairs(desk):
    pair=made_pages.make_pair(); made_pages.make_fragments(pair)
    page=desk(f"/manage/pairs/{pair.pk}/")
    expect(page.locator("#picture svg")).to_be_visible()
    page.locator(".pair__one").first.focus(); page.keyboard.press("ArrowRight")
    shoot(page,"pair")
    made_pages.make_pair("same",title="Greensleeves"); made_pages.make_pair("nothing",title="Scarborough Fair",seems_to_be=pair.original.song)
    page.goto("/manage/pairs/"); shoot(page,"pairs")
    page.goto(f"/manage/songs/{MinedPair.objects.first().original.song_id}/"); page.wait_for_timeout(1000); shoot(page,"song")
    page.goto("/manage/covers/"); shoot(page,"covers"); page.goto("/manage/songs/"); shoot(page,"songs")
def test_rounds(desk):
    page=desk("/manage/rounds/"); shoot(page,"rounds-none")
    for k,s in enumerate(("promoted","refused","promoted","promoted")): made_pages.make_round(s,top1=0.6+0.07*k,before=0.55+0.07*k if k else None)
    page.goto("/manage/rounds/"); shoot(page,"rounds")
    page.goto(f"/manage/rounds/{Round.objects.first().pk}/"); shoot(page,"round")
    page.goto("/manage/rounds/")
    page.get_by_role("button",name="Start a round").click()
    expect(page.get_by_role("button",name="Stop the round")).to_be_visible()
    shoot(page,"rounds-open")
    page.goto("/manage/"); shoot(page,"chain")
